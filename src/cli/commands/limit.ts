/**
 * `podwire limit`: limits what an interface of a pod sends and is sent, while it runs. As with `docker update`, what no
 * flag is about stays as it is.
 */
import { Command } from 'commander';
import type { LimitAnswer, Limits, LimitsWish, Pod, Rate } from '../../control/api/types.js';
import type { ApiClient } from '../client.js';
import { clientFor, outputFormat, print, printJson } from '../context.js';
import { usage } from '../errors.js';
import { addLimitFlags, type LimitFlags, limitsOf } from '../limit-flags.js';
import { formatBitRate, formatBytes } from '../output/units.js';
import { podPath } from '../paths.js';

/** As a rate: not limited. */
const NONE = 'none';

interface LimitOptions extends LimitFlags {
  readonly namespace?: string;
  readonly ifname?: string;
  readonly none?: boolean;
}

export function limitCommand(): Command {
  const command = new Command('limit')
    .description('limit what a pod sends and is sent, while it runs')
    .argument('<POD>', "the pod's name")
    .option('-n, --namespace <NAMESPACE>', 'the namespace the pod is filed under (default: default)')
    .option('--ifname <NAME>', 'which of its interfaces (default: the first)');
  return addLimitFlags(command)
    .option('--none', `no limits any more; for one direction: --egress-rate ${NONE}`)
    .action(async (pod: string, options: LimitOptions, self: Command) => {
      const format = outputFormat(self, ['table', 'json']);
      const path = podPath(options.namespace, pod);
      const client = clientFor(self);
      const limits = await wanted(client, path, options);
      const { ifname } = options;
      const request = { ...(ifname !== undefined && { ifname }), ...limits };
      const { body } = await client.send<LimitAnswer>('PUT', `${path}/limits`, request);
      if (format === 'json') printJson(body);
      else print(`pod/${body.namespace}/${body.name} ${body.ifname}: ${limitsText(body.limits)}\n`);
    });
}

async function wanted(client: ApiClient, path: string, options: LimitOptions): Promise<LimitsWish> {
  const given = limitsOf(options);
  const isEmpty = Object.keys(given).length === 0;
  if (options.none) {
    if (!isEmpty) throw usage('--none: contradicts the other limits');
    return {};
  }
  if (isEmpty) throw usage('which limit? Give --egress-rate, --ingress-rate or --none');
  return without(NONE, { ...(await present(client, path, options.ifname)), ...given });
}

async function present(client: ApiClient, path: string, ifname: string | undefined): Promise<Limits> {
  const { status } = await client.get<Pod>(path);
  const interfaces = status?.interfaces ?? [];
  const chosen = ifname === undefined ? interfaces[0] : interfaces.find((one) => one.ifname === ifname);
  return chosen?.limits ?? {};
}

function without(rate: string, limits: LimitsWish): LimitsWish {
  return Object.fromEntries(Object.entries(limits).filter(([, one]) => one.rate !== rate));
}

export function limitsText({ egress, ingress }: Limits): string {
  return `egress ${rateText(egress)}, ingress ${rateText(ingress)}`;
}

function rateText(rate: Rate | undefined): string {
  return rate ? `${formatBitRate(rate.rate)} (burst ${formatBytes(rate.burst)})` : 'not limited';
}
