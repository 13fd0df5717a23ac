/**
 * `podwire get resolvconf POD`: what belongs into the pod's /etc/resolv.conf. Of a namespace NAME that `ip netns` made, `ip netns exec`
 * shows programs /etc/netns/NAME/resolv.conf in its place.
 */
import type { Command } from 'commander';
import type { PodDns } from '../../control/api/types.js';
import { clientFor, outputFormat, print, printJson } from '../context.js';
import { usage } from '../errors.js';
import { podPath } from '../paths.js';

/** The word that stands in place of a kind. */
export const RESOLVCONF = 'resolvconf';

export async function getResolvConf(
  pod: string | undefined,
  namespace: string | undefined,
  self: Command,
): Promise<void> {
  if (pod === undefined) throw usage('of which pod? podwire get resolvconf POD');
  const format = outputFormat(self, ['table', 'json']);
  const dns = await clientFor(self).get<PodDns>(`${podPath(namespace, pod)}/dns`);
  if (format === 'json') printJson(dns);
  else print(resolvConfText(dns));
}

export function resolvConfText({ nameservers, search, options }: PodDns): string {
  const lines = nameservers.map((address) => `nameserver ${address}`);
  if (search.length > 0) lines.push(`search ${search.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return lines.map((line) => `${line}\n`).join('');
}
