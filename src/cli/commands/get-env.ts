/**
 * `podwire get env [POD]`: services as environment variables, one a line without quotes, which they do not need: for
 * `env $(podwire get env web) PROGRAM` and for `--env-file`.
 */
import type { Command } from 'commander';
import type { EnvironmentAnswer } from '../../control/api/types.js';
import { clientFor, outputFormat, print, printJson } from '../context.js';
import { segment } from '../paths.js';

/** The word that stands in place of a kind. */
export const ENV = 'env';

export async function getEnv(pod: string | undefined, namespace = 'default', self: Command): Promise<void> {
  const format = outputFormat(self, ['table', 'json']);
  const forPod = pod === undefined ? '' : `&pod=${segment(pod, 'POD')}`;
  const path = `/v1/env?namespace=${segment(namespace, '--namespace')}${forPod}`;
  const answer = await clientFor(self).get<EnvironmentAnswer>(path);
  if (format === 'json') printJson(answer);
  else print(answer.variables.map(({ name, value }) => `${name}=${value}\n`).join(''));
}
