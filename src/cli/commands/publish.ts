/**
 * `podwire publish` and `unpublish`: ports of the node that lead to a pod, given and taken back while it runs. `podwire ports`
 * lists them, of one pod as `docker port` does.
 */
import { Command } from 'commander';
import type { PortsAnswer, PublishedPortStatus } from '../../control/api/publish-types.js';
import type { Pod, ResourceList } from '../../control/api/types.js';
import { clientFor, type OutputFormat, outputFormat, print, printJson, printListing } from '../context.js';
import { usage } from '../errors.js';
import { containerPortText, hostTexts } from '../output/published.js';
import type { Column } from '../output/table.js';
import { podPath } from '../paths.js';
import { parsePublish, parseUnpublish } from '../publish-flags.js';

interface Options {
  readonly namespace?: string;
  readonly ifname?: string;
  readonly all?: boolean;
}

const NAMESPACE = [
  '-n, --namespace <NAMESPACE>',
  'the namespace the pod is filed under (default: default)',
] as const;

export function publishCommand(): Command {
  return new Command('publish')
    .description('let ports of the node lead to a pod, while it runs')
    .argument('<POD>', "the pod's name")
    .argument('<PORTS...>', '[ADDR:][HOSTPORT]:PORT[/tcp|/udp|/sctp], also ranges: 8000-8010:80-90')
    .option(...NAMESPACE)
    .option('--ifname <NAME>', 'to which of its interfaces (default: the first that can be reached)')
    .action(async (pod: string, texts: string[], options: Options, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const { ifname } = options;
      const ports = texts.flatMap((text) => parsePublish(text, 'PORTS'));
      const request = { ...(ifname !== undefined && { ifname }), ports };
      const path = `${podPath(options.namespace, pod)}/ports`;
      printAnswer(format, (await clientFor(self).send<PortsAnswer>('POST', path, request)).body);
    });
}

export function unpublishCommand(): Command {
  return new Command('unpublish')
    .description('take published ports of a pod back')
    .argument('<POD>', "the pod's name")
    .argument('[PORTS...]', 'HOSTPORT[/udp], or as they were published')
    .option(...NAMESPACE)
    .option('--all', 'all of them')
    .action(async (pod: string, texts: string[], options: Options, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      if ((options.all === true) === texts.length > 0) throw usage('which ports? Give them, or --all');
      const request = options.all ? {} : { ports: texts.flatMap(parseUnpublish) };
      const path = `${podPath(options.namespace, pod)}/ports/remove`;
      printAnswer(format, (await clientFor(self).send<PortsAnswer>('POST', path, request)).body);
    });
}

export function portsCommand(): Command {
  return new Command('ports')
    .description('published ports: of a pod, or of all')
    .argument('[POD]', "the pod's name")
    .option('-n, --namespace <NAMESPACE>', 'of the pod; without one, only pods of this namespace')
    .action(async (pod: string | undefined, options: Options, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      if (pod === undefined) await listAll(format, options, self);
      else printAnswer(format, portsOf(await clientFor(self).get<Pod>(podPath(options.namespace, pod))));
    });
}

/** As `docker port` prints them; nothing where there are none. */
function printAnswer(format: OutputFormat, answer: PortsAnswer): void {
  if (format === 'json') {
    printJson(answer);
    return;
  }
  for (const port of answer.ports) {
    const note = port.message === undefined ? '' : `  (${port.message})`;
    for (const host of hostTexts(port)) print(`${containerPortText(port)} -> ${host}${note}\n`);
  }
}

interface PortRow {
  readonly pod: PortsAnswer;
  readonly port: PublishedPortStatus;
  readonly host: string;
}

const COLUMNS: readonly Column<PortRow>[] = [
  { header: 'NAMESPACE', value: ({ pod }) => pod.namespace },
  { header: 'POD', value: ({ pod }) => pod.name },
  { header: 'PORT', value: ({ port }) => containerPortText(port) },
  { header: 'HOST', value: ({ host }) => host },
  { header: 'NOTE', value: ({ port }) => port.message },
];

async function listAll(format: OutputFormat, { namespace }: Options, self: Command): Promise<void> {
  const query = namespace === undefined ? '' : `?namespace=${encodeURIComponent(namespace)}`;
  const { items } = await clientFor(self).get<ResourceList<Pod>>(`/v1/pods${query}`);
  const answer = items.map(portsOf).filter(({ ports }) => ports.length > 0);
  const rows = answer.flatMap((pod) =>
    pod.ports.flatMap((port) => hostTexts(port).map((host) => ({ pod, port, host }))),
  );
  printListing(format, { answer: { pods: answer }, rows, columns: COLUMNS, none: 'no published ports' });
}

function portsOf({ metadata, status }: Pod): PortsAnswer {
  const { name, namespace = 'default' } = metadata;
  return { name, namespace, ports: (status?.interfaces ?? []).flatMap(({ ports = [] }) => ports) };
}
