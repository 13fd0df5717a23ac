/** `podwire detach`: takes a pod's interfaces, or one of them, away and frees the addresses, also when its namespace is gone. */
import { Command } from 'commander';
import type { DetachAnswer, DetachRequest } from '../../control/api/types.js';
import { clientFor, outputFormat, print, printJson } from '../context.js';
import { podPath } from '../paths.js';

interface DetachOptions extends DetachRequest {
  readonly namespace?: string;
}

export function detachCommand(): Command {
  return new Command('detach')
    .description("take a pod's interfaces away and free its addresses")
    .argument('<POD>', "the pod's name")
    .option('-n, --namespace <NAMESPACE>', 'the namespace the pod is filed under (default: default)')
    .option('--ifname <NAME>', 'only this interface')
    .option('--network <NETWORK>', 'only what it has in this network')
    .action(async (pod: string, { namespace, ...chosen }: DetachOptions, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const path = `${podPath(namespace, pod)}/detach`;
      const request = Object.keys(chosen).length > 0 ? chosen : undefined;
      const { body } = await clientFor(self).send<DetachAnswer>('POST', path, request);
      if (format === 'json') printJson(body);
      else
        print(
          `pod/${body.namespace}/${body.name} detached; free again: ${body.ips.join(', ') || 'nothing'}\n`,
        );
    });
}
