/**
 * `podwire attach`: gives a pod its interface. Prints what the pod got, always as JSON, for scripts.
 */
import { Command } from 'commander';
import type { AttachAnswer, AttachRequest } from '../../control/api/types.js';
import { namespacePath } from '../../linux/netns.js';
import { clientFor, outputFormat, printJson } from '../context.js';
import { usage } from '../errors.js';
import { addLimitFlags, type LimitFlags, limitsOf } from '../limit-flags.js';
import { podPath } from '../paths.js';
import { parsePublish } from '../publish-flags.js';

interface AttachOptions extends LimitFlags {
  readonly netns?: string;
  readonly namespace?: string;
  readonly ifname?: string;
  readonly network?: string;
  readonly label?: string[];
  readonly ip?: string[];
  readonly mac?: string;
  readonly alias?: string[];
  readonly tap?: string;
  readonly tapOwner?: string;
  readonly publish?: string[];
}

export function attachCommand(): Command {
  const command = new Command('attach')
    .description("give a pod's network namespace an interface of the switch")
    .argument('<POD>', "the pod's name")
    .option(
      '--netns <NAME|PATH>',
      'its network namespace: a name of ip netns, or an absolute path; not needed for a further interface',
    )
    .option('-n, --namespace <NAMESPACE>', 'the namespace the pod is filed under (default: default)')
    .option('--ifname <NAME>', 'name of the interface in the pod (default: the first free of eth0, eth1, …)')
    .option('--network <NETWORK>', 'the network to attach to (default: default)')
    .option('--label <K=V>', 'label of the pod; may be repeated', collect)
    .option('--ip <ADDR>', 'fixed address, one of each family at most; may be repeated', collect)
    .option('--mac <MAC>', 'fixed MAC address')
    .option('--alias <NAME>', 'one more name of the pod in the network; may be repeated', collect);
  return addLimitFlags(command)
    .option(
      '--tap <NAME>',
      'for a virtual machine: make a TAP that its monitor opens, in the node’s namespace or that of --netns',
    )
    .option('--tap-owner <UID>', 'number of the user who may open the TAP (default: root alone)')
    .option(
      '-p, --publish <[ADDR:]HOSTPORT:PORT[/udp]>',
      'a port of the node that leads to the pod, as docker has it; may be repeated',
      collect,
    )
    .action(async (pod: string, options: AttachOptions, self: Command) => {
      outputFormat(self, ['json']);
      const path = `${podPath(options.namespace, pod)}/attach`;
      const answer = await clientFor(self).send<AttachAnswer>('POST', path, attachRequest(options));
      printJson(answer.body);
    });
}

export function attachRequest(options: AttachOptions): AttachRequest {
  const limits = limitsOf(options);
  return {
    ...(options.netns === undefined ? {} : { netns: absolutePath(options.netns) }),
    ...(options.ifname === undefined ? {} : { ifname: options.ifname }),
    ...(options.network === undefined ? {} : { network: options.network }),
    ...(options.label === undefined ? {} : { labels: parseLabels(options.label) }),
    ...(options.ip === undefined ? {} : { ips: options.ip }),
    ...(options.mac === undefined ? {} : { mac: options.mac }),
    ...(options.alias === undefined ? {} : { aliases: options.alias }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
    ...(options.publish === undefined
      ? {}
      : { publish: options.publish.flatMap((text) => parsePublish(text)) }),
    ...(options.tap === undefined ? {} : { tap: options.tap }),
    ...(options.tapOwner === undefined ? {} : { tapOwner: userNumber(options.tapOwner) }),
  };
}

/** `web` is /run/netns/web: the daemon must not depend on where this command runs. */
function absolutePath(netns: string): string {
  try {
    return namespacePath(netns);
  } catch (error) {
    throw usage(`--netns: ${(error as Error).message}`);
  }
}

/** A name may mean another user where the daemon is. */
function userNumber(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  throw usage(`--tap-owner ${text}: must be the number of a user; 'id -u NAME' prints it`);
}

/** `K=V` texts as an object; a key given twice is an error. Values may be empty. */
export function parseLabels(texts: readonly string[]): Record<string, string> {
  const labels = new Map<string, string>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at < 1) throw usage(`--label ${text}: must be KEY=VALUE`);
    const key = text.slice(0, at);
    if (labels.has(key)) throw usage(`--label ${text}: the key ${key} is given twice`);
    labels.set(key, text.slice(at + 1));
  }
  return Object.fromEntries(labels);
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
