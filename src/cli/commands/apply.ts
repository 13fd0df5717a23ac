/**
 * `podwire apply -f FILE`: creates or changes what the manifests describe. Every document is looked at
 * before the first one is sent; one that the daemon refuses does not stop those after it, but the command
 * then fails.
 */
import { Command } from 'commander';
import type { Resource } from '../../control/api/types.js';
import { resourcePath } from '../../control/model/kinds.js';
import type { ApiClient } from '../client.js';
import { clientFor, outputFormat, print, printJson, printYaml } from '../context.js';
import { addDryRunOptions, type DryRunOptions, isDryRun, runDry } from '../dry-run.js';
import { ApiError, errorLine, failure } from '../errors.js';
import { type Manifest, readManifests } from '../manifests.js';
import { counted } from '../output/units.js';

export function applyCommand(): Command {
  const command = new Command('apply')
    .description('create or change what a manifest describes')
    .requiredOption('-f, --filename <FILE>', 'YAML or JSON, any number of documents; - for standard input');
  return addDryRunOptions(command).action(
    async (options: { filename: string } & DryRunOptions, self: Command) => {
      if (isDryRun(options)) {
        await runDry(self, options, { apply: await readManifests(options.filename) });
        return;
      }
      const format = outputFormat(self, ['table', 'json', 'yaml']);
      const manifests = await readManifests(options.filename);
      const targets = manifests.map((manifest) => ({ manifest, ...resourcePath(manifest) }));
      const client = clientFor(self);
      const applied: Resource[] = [];
      for (const target of targets) {
        const result = await applyOne(client, target);
        if (result === undefined) continue;
        applied.push(result.resource);
        if (format === 'table') print(`${displayName(target)} ${result.outcome}\n`);
      }
      if (format === 'json') printJson(asOne(applied));
      if (format === 'yaml') printYaml(asOne(applied));
      const refused = targets.length - applied.length;
      if (refused > 0)
        throw failure('APPLY_FAILED', `${counted(refused, 'document')} of ${targets.length} refused`);
    },
  );
}

interface Target {
  readonly manifest: Manifest;
  readonly path: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

interface Applied {
  readonly outcome: string;
  readonly resource: Resource;
}

/** Undefined where the daemon refused; the reason is printed then. A daemon that is not there ends it all. */
async function applyOne(client: ApiClient, target: Target): Promise<Applied | undefined> {
  try {
    const answer = await client.send<Resource>('PUT', target.path, target.manifest);
    return { outcome: String(answer.headers['x-podwire-result']), resource: answer.body };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    process.stderr.write(`${errorLine(error)} (${displayName(target)})\n`);
    return undefined;
  }
}

/** `network/backend`, `pod/default/web`. */
export function displayName(resource: { kind: string; name: string; namespace?: string }): string {
  return [resource.kind.toLowerCase(), resource.namespace, resource.name].filter(Boolean).join('/');
}

/** One object as it is, several as a Kubernetes List. */
export function asOne(items: readonly Resource[]): unknown {
  return items.length === 1 ? items[0] : { apiVersion: 'v1', kind: 'List', items };
}
