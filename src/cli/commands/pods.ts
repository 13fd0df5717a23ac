/** `podwire pods`: every pod of this node, in all namespaces, with a row for each of its interfaces. */
import { Command } from 'commander';
import type { Pod, ResourceList } from '../../control/api/types.js';
import { clientFor, outputFormat, printListing } from '../context.js';
import { POD_COLUMNS, podRows } from '../output/resources.js';
import { segment } from '../paths.js';

export function podsCommand(): Command {
  return new Command('pods')
    .description('pods of this node, in all namespaces')
    .option('-n, --namespace <NAMESPACE>', 'only those of this namespace')
    .action(async (options: { namespace?: string }, self: Command) => {
      const format = outputFormat(self, ['table', 'json', 'wide', 'yaml']);
      const { namespace } = options;
      const query = namespace === undefined ? '' : `?namespace=${segment(namespace, '--namespace')}`;
      const answer = await clientFor(self).get<ResourceList<Pod>>(`/v1/pods${query}`);
      const none = namespace === undefined ? 'no pods' : `no pods in namespace ${namespace}`;
      printListing(format, { answer, rows: podRows(answer.items), columns: POD_COLUMNS, none });
    });
}
