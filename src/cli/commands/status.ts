/** `podwire status`: what this node is, and whether it is ready. */
import { Command } from 'commander';
import type { StatusAnswer } from '../../control/api/types.js';
import { clientFor, outputFormat, print, printJson } from '../context.js';
import { ioName } from '../output/io-name.js';
import { renderFields } from '../output/table.js';
import { formatAge, formatMicros } from '../output/units.js';

export function statusCommand(): Command {
  return new Command('status')
    .description('this node: readiness, addresses, packet I/O, peers')
    .action(async (_options: unknown, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const status = await clientFor(self).get<StatusAnswer>('/v1/status');
      if (format === 'json') printJson(status);
      else print(renderStatus(status, process.stdout.columns));
    });
}

export function renderStatus(status: StatusAnswer, columns?: number): string {
  const uptime = formatAge(status.uptimeSeconds * 1000);
  const fields: [string, string][] = [
    ['Node', status.node],
    ['Ready', status.ready ? 'yes' : 'no'],
    ['Packet I/O', `${ioName(status.io)} (${status.ioReason})`],
    ['Workers', String(status.workers)],
    ['Node addresses', list(status.nodeIPs)],
    ['Underlay address', status.underlay ?? 'none'],
    ['Pod CIDRs', list(status.podCIDRs)],
    ['Cluster CIDRs', list(status.clusterCIDRs)],
    ['Service CIDRs', list(status.serviceCIDRs)],
    ['Host rules', status.hostProblem ?? 'in force'],
    ['MTU', String(status.mtu)],
    ['Pods', String(status.pods)],
    ['Networks', String(status.networks)],
    ['Connections', `${status.restoredFlows} taken up from before the start`],
    ['Store', storeText(status.store)],
    ['DNS', dnsText(status.dns)],
    ...(status.dns ? [['Name servers', upstreamsText(status.dns)] as [string, string]] : []),
    ['Peers', list(status.peers.map(peerText))],
    ['Generation', String(status.generation)],
    ['Running', `version ${status.version}, process ${status.pid}, for ${uptime}`],
  ];
  return renderFields(fields, columns);
}

function storeText({ kind, connected, since, reason }: StatusAnswer['store']): string {
  const age = formatAge(Date.now() - Date.parse(since));
  if (kind === 'embedded') return 'embedded: cluster state is kept by this node';
  if (connected) return `${kind}, connected for ${age}`;
  return `${kind}, not connected for ${age}: ${reason ?? 'no reason given'}; forwarding goes on with what is known`;
}

function dnsText(dns: StatusAnswer['dns']): string {
  if (!dns) return 'off';
  const { domain, addresses, listening, problem } = dns;
  if (problem !== null) return `${domain}, not served as it should be: ${problem}`;
  return `${domain} at ${list(addresses)}, by ${list(listening)}`;
}

function upstreamsText({ upstreams }: NonNullable<StatusAnswer['dns']>): string {
  return list(upstreams.map(({ address, state }) => `${address} ${state}`));
}

function peerText({ name, address, state, rttMicros }: StatusAnswer['peers'][number]): string {
  return `${name} ${address} ${state}${rttMicros === null ? '' : ` ${formatMicros(rttMicros)}`}`;
}

function list(items: readonly string[]): string {
  return items.length === 0 ? 'none' : items.join(', ');
}
