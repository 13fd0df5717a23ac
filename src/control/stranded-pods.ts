/** Pods that a daemon with other subnets would leave without an address. */
import { holds } from './cidr.js';
import { PodwireError } from './errors.js';
import { isGone } from './host/namespaces.js';
import { DEFAULT_NETWORK } from './model/network.js';
import { PODS, readPodRecord } from './records.js';
import type { Store } from './store/store.js';

/**
 * Subnets that are asked for and that attached pods are not in: found out before the old ones are given up.
 * @throws PodwireError STATE_MISMATCH
 */
export async function refuseStrandedPods(
  store: Store,
  podCidrs: readonly string[] | undefined,
): Promise<void> {
  if (!podCidrs) return;
  for (const { key, value } of (await store.list(PODS)).entries) {
    const name = key.slice(PODS.length);
    const stray = readPodRecord(name, value)
      .attachments.filter(
        ({ network, netns, netnsId }) => network === DEFAULT_NETWORK && !isGone(netns, netnsId),
      )
      .flatMap(({ ips }) => ips)
      .find((address) => !podCidrs.some((cidr) => holds(cidr, address)));
    if (stray === undefined) continue;
    throw new PodwireError(
      'STATE_MISMATCH',
      `pod ${name} is attached as ${stray}, which is not in --pod-cidr ${podCidrs.join(',')}: start the daemon with the earlier --pod-cidr and detach the pod`,
    );
  }
}
