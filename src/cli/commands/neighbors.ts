/** `podwire neighbors`: which MAC address an IP address has; what the switch answers ARP and ND with. */
import { Command } from 'commander';
import type { NeighborEntry, NeighborsAnswer } from '../../control/api/types.js';
import { clientFor, outputFormat, printListing } from '../context.js';
import { byTexts } from '../output/order.js';
import type { Column } from '../output/table.js';
import { formatAge } from '../output/units.js';

const COLUMNS: readonly Column<NeighborEntry>[] = [
  { header: 'NETWORK', value: (entry) => entry.network },
  { header: 'ADDRESS', value: (entry) => entry.address },
  { header: 'MAC', value: (entry) => entry.mac },
  { header: 'PORT', value: (entry) => entry.port },
  { header: 'KIND', value: (entry) => entry.kind },
  { header: 'AGE', value: (entry) => (entry.ageMs === null ? null : formatAge(entry.ageMs)), right: true },
];

export function neighborsCommand(): Command {
  return new Command('neighbors')
    .alias('neighbours')
    .description('neighbours: IP addresses and their MAC addresses')
    .action(async (_options: unknown, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const answer = await clientFor(self).get<NeighborsAnswer>('/v1/neighbors');
      const rows = answer.neighbors.toSorted(
        byTexts(
          ({ network }) => network,
          ({ address }) => address,
        ),
      );
      printListing(format, { answer, rows, columns: COLUMNS, none: 'no neighbours' });
    });
}
