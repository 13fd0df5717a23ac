/** `podwire stats`: packets and octets of every port, and the switch's balance of them. */
import { Command } from 'commander';
import type { PortStats, StatsAnswer } from '../../control/api/types.js';
import { clientFor, outputFormat, printListing } from '../context.js';
import type { Column } from '../output/table.js';
import { formatBytes } from '../output/units.js';

const COLUMNS: readonly Column<PortStats>[] = [
  { header: 'PORT', value: (port) => port.port },
  { header: 'RX-PACKETS', value: (port) => port.rxPackets, right: true },
  { header: 'RX-BYTES', value: (port) => formatBytes(port.rxBytes), right: true },
  { header: 'TX-PACKETS', value: (port) => port.txPackets, right: true },
  { header: 'TX-BYTES', value: (port) => formatBytes(port.txBytes), right: true },
  { header: 'DROPS', value: (port) => port.drops, right: true },
];

export function statsCommand(): Command {
  return new Command('stats')
    .description('packets and bytes by port; rx is what the switch received from the pod')
    .action(async (_options: unknown, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const answer = await clientFor(self).get<StatsAnswer>('/v1/stats');
      printListing(format, {
        answer,
        rows: answer.ports,
        columns: COLUMNS,
        none: 'no ports',
        footer: `\n${balance(answer)}`,
      });
    });
}

/** Both sides of the conservation law, with the terms that are not zero. */
export function balance({ totals, inFlight }: StatsAnswer): string {
  const came = terms([
    ['received', totals.received],
    ['originated', totals.originated],
    ['replicated', totals.replicated],
  ]);
  const went = terms([
    ['sent', totals.sent],
    ['consumed', totals.consumed],
    ['joined', totals.joined],
    ['dropped', totals.dropped],
    ['in flight', inFlight],
  ]);
  return `${came} = ${went}`;
}

function terms(all: readonly (readonly [string, number])[]): string {
  const shown = all.filter(([, count], at) => at === 0 || count !== 0);
  return shown.map(([name, count]) => `${count} ${name}`).join(' + ');
}
