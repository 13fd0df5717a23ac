/** `podwire fdb`: which MAC address is behind which port of which bridge domain. */
import { Command } from 'commander';
import type { FdbAnswer, FdbEntry } from '../../control/api/types.js';
import { clientFor, outputFormat, printListing } from '../context.js';
import { byTexts } from '../output/order.js';
import type { Column } from '../output/table.js';
import { formatAge } from '../output/units.js';

const COLUMNS: readonly Column<FdbEntry>[] = [
  { header: 'NETWORK', value: (entry) => entry.network },
  { header: 'VLAN', value: (entry) => (entry.vlan === 0 ? null : entry.vlan), right: true },
  { header: 'MAC', value: (entry) => entry.mac },
  { header: 'PORT', value: (entry) => entry.port },
  { header: 'KIND', value: (entry) => entry.kind },
  { header: 'AGE', value: (entry) => (entry.ageMs === null ? null : formatAge(entry.ageMs)), right: true },
];

export function fdbCommand(): Command {
  return new Command('fdb')
    .description('forwarding database: MAC addresses and the ports they are behind')
    .action(async (_options: unknown, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const answer = await clientFor(self).get<FdbAnswer>('/v1/fdb');
      const rows = answer.fdb.toSorted(
        byTexts(
          ({ network }) => network,
          ({ port }) => port,
        ),
      );
      printListing(format, { answer, rows, columns: COLUMNS, none: 'no MAC addresses' });
    });
}
