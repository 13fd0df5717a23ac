/**
 * `podwire impair`: makes the way between two pods, or a pod and addresses, worse on purpose, and better again. It writes
 * `Impairment` resources, as `apply` would, with a name made from the two ends.
 */
import { isIP } from 'node:net';
import { Command } from 'commander';
import type { Impairment, ImpairmentEnd, ImpairmentSpec, ResourceList } from '../../control/api/types.js';
import { canonicalCidr, hostPrefix } from '../../control/cidr.js';
import type { ApiClient } from '../client.js';
import { clientFor, outputFormat, print, printJson } from '../context.js';
import { CliError, usage } from '../errors.js';
import { segment } from '../paths.js';
import { asOne } from './apply.js';

interface ImpairOptions {
  readonly namespace?: string;
  readonly delay?: string;
  readonly jitter?: string;
  readonly loss?: string;
  readonly rate?: string;
  readonly oneWay?: boolean;
  readonly name?: string;
  readonly clear?: boolean;
}

const PATH = '/v1/impairments';

export function impairCommand(): Command {
  return new Command('impair')
    .description('delay, lose or slow down what goes between two pods, or a pod and addresses')
    .argument('[A]', 'a pod (NAME or NAMESPACE/NAME), a prefix or an address; with --clear alone, a name')
    .argument('[B]', 'the other end')
    .option('-n, --namespace <NAMESPACE>', 'namespace of pods that are named without one (default: default)')
    .option('--delay <TIME>', 'how long each packet takes, each way: 50ms')
    .option('--jitter <TIME>', 'by how much it is longer or shorter: 5ms')
    .option('--loss <SHARE>', 'of the packets, each way: 1%')
    .option('--rate <RATE>', 'most, bits a second each way: 10M')
    .option('--one-way', 'only what A sends to B')
    .option('--name <NAME>', 'of the resource (default: made from A and B)')
    .option('--clear', 'delete: what is between A and B, or the one of that name, or all')
    .action(async (a: string | undefined, b: string | undefined, options: ImpairOptions, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const client = clientFor(self);
      const changed = options.clear
        ? await clear(client, a, b, options)
        : [await impair(client, manifestOf(a, b, options))];
      if (format === 'json') printJson(asOne(changed.map(({ impairment }) => impairment)));
      else if (changed.length === 0) print('no impairments\n');
      else
        for (const { impairment, outcome } of changed)
          print(`impairment/${impairment.metadata.name} ${outcome}\n`);
    });
}

interface Changed {
  readonly impairment: Impairment;
  readonly outcome: string;
}

async function impair(client: ApiClient, manifest: Impairment): Promise<Changed> {
  const path = `${PATH}/${segment(manifest.metadata.name, '--name')}`;
  const { body, headers } = await client.send<Impairment>('PUT', path, manifest);
  return { impairment: body, outcome: String(headers['x-podwire-result']) };
}

/** @throws CliError USAGE */
export function manifestOf(a: string | undefined, b: string | undefined, options: ImpairOptions): Impairment {
  if (a === undefined || b === undefined)
    throw usage('between what? Give two ends: pods, or a pod and addresses');
  const { delay, jitter, loss, rate, oneWay = false } = options;
  const [from, to] = [endOf(a, options.namespace), endOf(b, options.namespace)];
  const effects = {
    ...(delay !== undefined && { delay }),
    ...(jitter !== undefined && { jitter }),
    ...(loss !== undefined && { loss }),
    ...(rate !== undefined && { rate }),
  };
  if (Object.keys(effects).length === 0) {
    throw usage('how? Give --delay, --jitter, --loss or --rate; --clear makes it good again');
  }
  const spec: ImpairmentSpec = { from, to, ...(oneWay && { bidirectional: false }), ...effects };
  const name = options.name ?? nameOf(from, to, oneWay);
  return { apiVersion: 'podwire.dev/v1', kind: 'Impairment', metadata: { name }, spec };
}

/** A pod's name has no colon, and one that is an address of IPv4 would have to be written with its namespace. */
export function endOf(text: string, namespace = 'default'): ImpairmentEnd {
  const isAddress = isIP(text.split('/')[0]) !== 0;
  if (isAddress) return { cidr: text };
  return { pod: text.includes('/') ? text : `${namespace}/${text}` };
}

/** The same for both orders where it is both ways, so that saying it again changes what is there. */
export function nameOf(from: ImpairmentEnd, to: ImpairmentEnd, oneWay: boolean): string {
  const [a, b] = [wordOf(from), wordOf(to)];
  if (oneWay) return `${a}-to-${b}`;
  return [a, b].sort().join('--');
}

/** `web`, `shop.web` in another namespace, `10.80.0.0-24`. */
function wordOf({ pod, cidr = '' }: ImpairmentEnd): string {
  if (pod !== undefined) return pod.replace(/^default\//, '').replaceAll('/', '.');
  return cidr
    .toLowerCase()
    .replaceAll(/[:/]/g, '-')
    .replaceAll(/^-+|-+$/g, '');
}

async function clear(
  client: ApiClient,
  a: string | undefined,
  b: string | undefined,
  { namespace, ...effects }: ImpairOptions,
): Promise<Changed[]> {
  const others = Object.keys(effects).filter((key) => key !== 'clear');
  if (others.length > 0) throw usage(`--clear: deletes; leave --${others[0]} out`);
  const names = a !== undefined && b === undefined ? [a] : await namesBetween(client, a, b, namespace);
  const deleted: Changed[] = [];
  for (const name of names) {
    const { body } = await client.send<Impairment>('DELETE', `${PATH}/${segment(name, 'NAME')}`);
    deleted.push({ impairment: body, outcome: 'deleted' });
  }
  return deleted;
}

/** Without ends, all. @throws CliError NOT_FOUND where there is none between these */
async function namesBetween(
  client: ApiClient,
  a: string | undefined,
  b: string | undefined,
  namespace: string | undefined,
): Promise<string[]> {
  const { items } = await client.get<ResourceList<Impairment>>(PATH);
  if (a === undefined || b === undefined) return items.map(({ metadata }) => metadata.name);
  const ends = [a, b].map((text) => textOf(endOf(text, namespace))).sort();
  const names = items
    .filter(({ spec: { from, to } }) => [from, to].map(textOf).sort().join() === ends.join())
    .map(({ metadata }) => metadata.name);
  if (names.length > 0) return names;
  throw new CliError('NOT_FOUND', `there is no impairment between ${ends.join(' and ')}`);
}

/** As the daemon writes it, where it was an address. */
function textOf({ pod, cidr = '' }: ImpairmentEnd): string {
  if (pod !== undefined) return pod;
  try {
    return canonicalCidr(cidr.includes('/') ? cidr : hostPrefix(cidr));
  } catch (error) {
    throw usage(`${cidr}: ${(error as Error).message}`);
  }
}
