/** `podwire detach`: takes a pod's interface away and frees its addresses, also when its namespace is gone. */
import { Command } from 'commander';
import type { DetachAnswer } from '../../control/api/types.js';
import { clientFor, outputFormat, print, printJson } from '../context.js';
import { podPath } from '../paths.js';

export function detachCommand(): Command {
  return new Command('detach')
    .description("take a pod's interface away and free its addresses")
    .argument('<POD>', "the pod's name")
    .option('-n, --namespace <NAMESPACE>', 'the namespace the pod is filed under (default: default)')
    .action(async (pod: string, options: { namespace?: string }, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const path = `${podPath(options.namespace, pod)}/detach`;
      const { body } = await clientFor(self).send<DetachAnswer>('POST', path);
      if (format === 'json') printJson(body);
      else
        print(
          `pod/${body.namespace}/${body.name} detached; free again: ${body.ips.join(', ') || 'nothing'}\n`,
        );
    });
}
