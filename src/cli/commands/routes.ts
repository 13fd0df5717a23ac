/** `podwire routes`: the routing tables in force, one for each network and the node's own. */
import { Command } from 'commander';
import type { RouteEntry, RoutesAnswer } from '../../control/api/types.js';
import { clientFor, outputFormat, printListing } from '../context.js';
import type { Column } from '../output/table.js';

const COLUMNS: readonly Column<RouteEntry>[] = [
  { header: 'NETWORK', value: (route) => route.network },
  { header: 'PREFIX', value: (route) => route.prefix },
  { header: 'KIND', value: (route) => route.kind },
  { header: 'VIA', value: (route) => route.via },
  { header: 'DEV', value: (route) => route.dev },
];

export function routesCommand(): Command {
  return new Command('routes')
    .description('routing tables in force')
    .action(async (_options: unknown, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const answer = await clientFor(self).get<RoutesAnswer>('/v1/routes');
      printListing(format, { answer, rows: answer.routes, columns: COLUMNS, none: 'no routes' });
    });
}
