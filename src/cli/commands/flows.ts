/** `podwire flows`: connections, as conntrack -L and ss list them, or summed up. */
import { Command } from 'commander';
import type { FlowEntry, FlowSummary, FlowsAnswer, FlowWay } from '../../control/api/flow-types.js';
import type { ApiClient } from '../client.js';
import { clientFor, outputFormat, print, printJson, printListing } from '../context.js';
import { usage } from '../errors.js';
import { type Column, renderFields, renderTable } from '../output/table.js';
import { formatAge, formatBytes } from '../output/units.js';

const USUAL = 1000;
const PAGE = 10_000;

interface FlowsOptions {
  readonly pod?: string;
  readonly namespace?: string;
  readonly service?: string;
  readonly protocol?: string;
  readonly state?: string;
  readonly limit?: string;
  readonly summary?: true;
}

const COLUMNS: readonly Column<FlowEntry>[] = [
  { header: 'PROTO', value: ({ protocol }) => protocol },
  { header: 'STATE', value: ({ state }) => state },
  { header: 'CLIENT', value: ({ original }) => place(original.source, original.sourcePort) },
  { header: 'ADDRESS', value: ({ original }) => place(original.destination, original.destinationPort) },
  { header: 'BACKEND', value: ({ reply }) => place(reply.source, reply.sourcePort) },
  { header: 'SERVICE', value: ({ service }) => service },
  { header: 'VERDICT', value: ({ policy }) => policy?.verdict, wide: 'unless said' },
  { header: 'PACKETS', value: (flow) => both(flow, ({ packets }) => String(packets)), right: true },
  { header: 'BYTES', value: (flow) => both(flow, ({ bytes }) => formatBytes(bytes)), right: true },
  { header: 'IDLE', value: ({ idleMs }) => formatAge(idleMs), right: true },
  { header: 'EXPIRES', value: ({ expiresMs }) => formatAge(expiresMs), right: true },
  { header: 'RULE', value: ruleText, wide: 'unless said' },
  // What the backend takes the client for.
  { header: 'SEEN AS', value: ({ reply }) => place(reply.destination, reply.destinationPort), wide: true },
  { header: 'PORT', value: ({ port }) => port, wide: true },
  { header: 'AGE', value: ({ ageMs }) => formatAge(ageMs), right: true, wide: true },
];

export function flowsCommand(): Command {
  return new Command('flows')
    .description('connections: client, service address, backend, packets and bytes each way')
    .option('--pod <POD>', 'only of this pod: NAME or NAMESPACE/NAME')
    .option('-n, --namespace <NAMESPACE>', 'that names are in (default: default)')
    .option('--service <SERVICE>', 'only to this service: NAME or NAMESPACE/NAME')
    .option('--protocol <PROTOCOL>', 'tcp, udp, sctp, icmp, icmpv6 or a number')
    .option('--state <STATE>', 'established, time-wait, unreplied …')
    .option('--limit <N>', `at most so many (default: ${USUAL})`)
    .option('--summary', 'how many by state and service, and how full the table is')
    .action(async (options: FlowsOptions, self: Command) => {
      const format = outputFormat(self, ['table', 'json', 'wide']);
      const query = queryOf(options);
      const client = clientFor(self);
      if (options.summary) {
        const summary = await client.get<FlowSummary>(`/v1/flows/summary?${query}`);
        if (format === 'json') printJson(summary);
        else print(renderSummary(summary));
        return;
      }
      const limit = limitOf(options.limit);
      const answer = await readAll(client, query, limit);
      const rows = answer.flows.toSorted(inOrder);
      const footer = answer.continue === null ? undefined : `There may be more: --limit ${10 * limit}`;
      printListing(format, {
        answer: { ...answer, flows: rows },
        rows,
        columns: COLUMNS,
        none: 'no flows',
        footer,
      });
    });
}

async function readAll(client: ApiClient, query: URLSearchParams, limit: number): Promise<FlowsAnswer> {
  const flows: FlowEntry[] = [];
  for (;;) {
    query.set('limit', String(Math.min(PAGE, limit - flows.length)));
    const page = await client.get<FlowsAnswer>(`/v1/flows?${query}`);
    flows.push(...page.flows);
    if (page.continue === null || flows.length >= limit) return { flows, continue: page.continue };
    query.set('continue', page.continue);
  }
}

function queryOf({ pod, service, protocol, state, namespace = 'default' }: FlowsOptions): URLSearchParams {
  const query = new URLSearchParams();
  const named = (name: string) => (name.includes('/') ? name : `${namespace}/${name}`);
  if (pod !== undefined) query.set('pod', named(pod));
  if (service !== undefined) query.set('service', named(service));
  if (protocol !== undefined) query.set('protocol', protocol);
  if (state !== undefined) query.set('state', state);
  return query;
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return USUAL;
  const number = /^\d{1,8}$/.test(text) ? Number(text) : 0;
  if (number > 0) return number;
  throw usage(`--limit: '${text}' is not a number of flows`);
}

/** By protocol, then by who asked whom, in the order of addresses as text. */
function inOrder(a: FlowEntry, b: FlowEntry): number {
  const [left, right] = [keyOf(a), keyOf(b)];
  return left < right ? -1 : left > right ? 1 : a.original.sourcePort - b.original.sourcePort;
}

function keyOf({ protocol, original }: FlowEntry): string {
  return `${protocol} ${original.source} ${original.destination} ${original.destinationPort}`;
}

function place(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** What refused it; else what lets it pass, at either end. */
function ruleText({ policy }: FlowEntry): string | undefined {
  if (!policy) return undefined;
  const { verdict, egress, ingress } = policy;
  const rules = [egress, ingress].filter((one) => one !== null);
  const deciding = verdict === 'refused' ? rules.filter(({ note }) => note.action === 'deny') : rules;
  return deciding.map(({ rule, note }) => `${note.direction}: ${rule}`).join('; ') || undefined;
}

function both({ original, reply }: FlowEntry, value: (way: FlowWay) => string): string {
  return `${value(original)}/${value(reply)}`;
}

function renderSummary({ flows, states, services, table }: FlowSummary): string {
  const share = Math.round((100 * table.size) / Math.max(1, table.capacity));
  const fields: [string, string][] = [
    ['Flows', String(flows)],
    ['Table', `${table.size} of ${table.capacity} entries in use, ${share} %`],
    ['Opened', String(table.opened)],
    ['Expired', String(table.expired)],
    ['Evicted', `${table.evicted}, to make room for others`],
    ['Refused', `${table.refused}, for want of room`],
  ];
  const parts = [renderFields(fields)];
  if (states.length > 0) parts.push(renderTable(states, STATE_COLUMNS));
  if (services.some(({ service }) => service !== null)) parts.push(renderTable(services, SERVICE_COLUMNS));
  return parts.join('\n');
}

const STATE_COLUMNS: readonly Column<FlowSummary['states'][number]>[] = [
  { header: 'FLOWS', value: ({ flows }) => flows },
  { header: 'PROTO', value: ({ protocol }) => protocol },
  { header: 'STATE', value: ({ state }) => state },
];

const SERVICE_COLUMNS: readonly Column<FlowSummary['services'][number]>[] = [
  { header: 'FLOWS', value: ({ flows }) => flows },
  { header: 'PACKETS', value: ({ packets }) => packets },
  { header: 'BYTES', value: ({ bytes }) => formatBytes(bytes), right: true },
  { header: 'SERVICE', value: ({ service }) => service },
];
