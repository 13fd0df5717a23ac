/** `podwire drops`: what was dropped, at which port and why. */
import { Command } from 'commander';
import type { DropEntry, DropsAnswer } from '../../control/api/types.js';
import { clientFor, outputFormat, printListing } from '../context.js';
import type { Column } from '../output/table.js';

const COLUMNS: readonly Column<DropEntry>[] = [
  { header: 'COUNT', value: (drop) => drop.count, right: true },
  { header: 'REASON', value: (drop) => drop.reason },
  { header: 'PORT', value: (drop) => drop.port },
  { header: 'MEANING', value: (drop) => drop.meaning },
];

export function dropsCommand(): Command {
  return new Command('drops')
    .description('dropped packets by reason and port')
    .action(async (_options: unknown, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const answer = await clientFor(self).get<DropsAnswer>('/v1/drops');
      printListing(format, { answer, rows: answer.drops, columns: COLUMNS, none: 'no drops' });
    });
}
