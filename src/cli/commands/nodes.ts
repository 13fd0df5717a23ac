/** `podwire nodes`: the nodes of the cluster as this one sees them. */
import { Command } from 'commander';
import type { Node, ResourceList } from '../../control/api/types.js';
import { clientFor, outputFormat, printListing } from '../context.js';
import { NODE_COLUMNS } from '../output/resources.js';

export function nodesCommand(): Command {
  return new Command('nodes')
    .description('nodes of the cluster: whether they answer, their subnets, how far away they are')
    .action(async (_options: unknown, self: Command) => {
      const format = outputFormat(self, ['table', 'json', 'wide', 'yaml']);
      const answer = await clientFor(self).get<ResourceList<Node>>('/v1/nodes');
      printListing(format, { answer, rows: answer.items, columns: NODE_COLUMNS, none: 'no nodes' });
    });
}
