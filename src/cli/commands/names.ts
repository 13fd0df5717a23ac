/** `podwire names`: the names of pods in their networks, with the addresses that they stand for. */
import { Command } from 'commander';
import type { NameEntry, NamesAnswer } from '../../control/api/types.js';
import { clientFor, outputFormat, printListing } from '../context.js';
import type { Column } from '../output/table.js';

const COLUMNS: readonly Column<NameEntry>[] = [
  { header: 'NETWORK', value: (entry) => entry.network },
  { header: 'NAME', value: (entry) => entry.name },
  { header: 'IPS', value: (entry) => entry.ips.join(',') },
  { header: 'POD', value: (entry) => entry.pod },
];

export function namesCommand(): Command {
  return new Command('names')
    .description('names of pods in their networks: their own and aliases')
    .option('--network <NETWORK>', 'only of this network')
    .action(async ({ network }: { network?: string }, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const query = network === undefined ? '' : `?network=${encodeURIComponent(network)}`;
      const answer = await clientFor(self).get<NamesAnswer>(`/v1/names${query}`);
      printListing(format, { answer, rows: answer.names, columns: COLUMNS, none: 'no names' });
    });
}
