/**
 * `podwire delete KIND NAME` or `-f FILE`. A file's documents are deleted last first, so that what stands on
 * something earlier in the file is gone before it.
 */
import { Command } from 'commander';
import type { Resource } from '../../control/api/types.js';
import type { DryRunRequest } from '../../control/api/what-if-types.js';
import { KINDS, resourcePath } from '../../control/model/kinds.js';
import type { ApiClient } from '../client.js';
import { clientFor, outputFormat, print, printJson } from '../context.js';
import { addDryRunOptions, type DryRunOptions, isDryRun, runDry } from '../dry-run.js';
import { ApiError, usage } from '../errors.js';
import { readManifests } from '../manifests.js';
import { asOne, displayName } from './apply.js';
import { KIND_HELP, kindOf, requestFor } from './get.js';

interface DeleteOptions extends DryRunOptions {
  readonly filename?: string;
  readonly namespace?: string;
  readonly ignoreNotFound?: boolean;
}

export function deleteCommand(): Command {
  const command = new Command('delete')
    .description(
      'delete a resource, or what a manifest describes; an attached pod is detached first, and with a namespace goes what is in it',
    )
    .argument('[KIND]', KIND_HELP)
    .argument('[NAME]', 'which one')
    .option('-f, --filename <FILE>', 'YAML or JSON, any number of documents; - for standard input')
    .option('-n, --namespace <NAMESPACE>', 'namespace of what is in one (default: default)')
    .option('--ignore-not-found', 'what does not exist is no error');
  return addDryRunOptions(command).action(
    async (kind: string | undefined, name: string | undefined, options: DeleteOptions, self: Command) => {
      if (isDryRun(options)) {
        await runDry(self, options, { delete: await namesOf(kind, name, options) });
        return;
      }
      const format = outputFormat(self, ['table', 'json']);
      const paths = await pathsOf(kind, name, options);
      const client = clientFor(self);
      const deleted: Resource[] = [];
      for (const path of paths) {
        const resource = await deleteOne(client, path, options.ignoreNotFound ?? false);
        if (resource === undefined) continue;
        deleted.push(resource);
        if (format === 'table') for (const line of deletedLines(resource)) print(`${line} deleted\n`);
      }
      if (format === 'json') printJson(asOne(deleted));
    },
  );
}

/** The resource, behind what went with it. */
function deletedLines(resource: Resource): string[] {
  const within = resource.kind === 'Namespace' ? (resource.status?.deleted ?? []) : [];
  return [...within, displayName({ kind: resource.kind, ...resource.metadata })];
}

async function pathsOf(
  kind: string | undefined,
  name: string | undefined,
  options: DeleteOptions,
): Promise<string[]> {
  if (options.filename !== undefined) {
    if (kind !== undefined) throw usage('give KIND and NAME, or -f FILE, not both');
    const manifests = await readManifests(options.filename);
    return manifests.map((manifest) => resourcePath(manifest).path).reverse();
  }
  if (kind === undefined || name === undefined) {
    throw usage('what to delete? Give KIND and NAME, or -f FILE; see podwire delete --help');
  }
  const { namespace } = options;
  return [requestFor(kindOf(kind), name, namespace === undefined ? {} : { namespace }).path];
}

/** Of what would be deleted, in the order in which it would be. */
async function namesOf(
  kind: string | undefined,
  name: string | undefined,
  options: DeleteOptions,
): Promise<NonNullable<DryRunRequest['delete']>> {
  if (options.ignoreNotFound) throw usage('--ignore-not-found: not with --dry-run');
  const paths = await pathsOf(kind, name, options);
  return paths.map((path) => {
    const [, , plural, ...names] = path.split('/');
    const info = KINDS.find((one) => one.plural === plural)!;
    return { kind: info.kind, name: names.at(-1)!, ...(names.length > 1 && { namespace: names[0]! }) };
  });
}

async function deleteOne(
  client: ApiClient,
  path: string,
  ignoreNotFound: boolean,
): Promise<Resource | undefined> {
  try {
    return (await client.send<Resource>('DELETE', path)).body;
  } catch (error) {
    if (ignoreNotFound && error instanceof ApiError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
