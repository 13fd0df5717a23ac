/** `podwire state`: what verdicts depend on, as manifests, for `podwire replay --running`. */
import { Command } from 'commander';
import type { StateAnswer } from '../../control/api/what-if-types.js';
import { clientFor, outputFormat, printJson, printYaml } from '../context.js';

export function stateCommand(): Command {
  return new Command('state')
    .description('networks, policies, services and the pods of all nodes as manifests, for replay --running')
    .action(async (_options: unknown, self: Command) => {
      const format = outputFormat(self, ['yaml', 'json']);
      const state = await clientFor(self).get<StateAnswer>('/v1/state');
      if (format === 'json') printJson(state);
      else printYaml(state);
    });
}
