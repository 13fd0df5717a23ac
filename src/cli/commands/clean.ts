/** `podwire clean`: removes what stopped daemons leave on this host, before podwire itself is removed. */
import { Command } from 'commander';
import { outputFormat, print, printJson, refuseServer } from '../context.js';

export function cleanCommand(): Command {
  return new Command('clean')
    .description('remove what a stopped daemon leaves on this host: podwire0, its routes, the nftables table')
    .addHelpText(
      'after',
      '\nPods keep their interfaces until their namespaces go; settings of the kernel stay as they are.',
    )
    .action(async (_options: unknown, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      refuseServer(self);
      const { cleanHost } = await import('../../control/host/clean.js');
      const removed = await cleanHost();
      if (format === 'json') printJson({ removed });
      else
        print(
          removed.length === 0 ? 'nothing to remove\n' : removed.map((what) => `${what} removed\n`).join(''),
        );
    });
}
