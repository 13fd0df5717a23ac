/**
 * Pods of other nodes as policies know them. Labels, ports and the addresses in the default network are what their nodes tell
 * (cluster/published-pods.ts); addresses in overlays are the claims that are written down before they are used
 * (cluster/overlay-members.ts). In other networks a pod is met on its own node only.
 *
 * A pod that uses its node's interfaces tells the node's addresses, which are the node's here and no pod's.
 */
import type { OverlayMember } from '../cluster/overlay-member.js';
import { DEFAULT_NETWORK } from '../model/network.js';
import { podKeyOfPort } from '../records.js';
import { podKeyOf, type ServicePod } from '../services/types.js';
import type { PolicyInterface, PolicyPod } from './types.js';

export interface OtherPolicyPodsParts {
  /** Of pods of other nodes. */
  readonly members: () => Iterable<OverlayMember>;
  readonly isNodeAddress: (address: string) => boolean;
  readonly policies: {
    setPod(pod: PolicyPod): void;
    removePod(key: string): void;
  };
}

export class OtherPolicyPods {
  private readonly pods = new Map<string, ServicePod>();
  /** By key of the pod, then by network. */
  private members = new Map<string, Map<string, string[]>>();

  constructor(private readonly parts: OtherPolicyPodsParts) {}

  setPod(pod: ServicePod): void {
    const key = podKeyOf(pod);
    this.pods.set(key, pod);
    this.tell(key, pod);
  }

  /** @param key of podKeyOf */
  removePod(key: string): void {
    this.pods.delete(key);
    this.parts.policies.removePod(key);
  }

  /** Members of overlays, or addresses of nodes, may be others. What is the same is the plan's to see. */
  refresh(): void {
    this.members = new Map();
    for (const member of this.parts.members()) this.add(member);
    for (const [key, pod] of this.pods) this.tell(key, pod);
  }

  private add({ network, address, pod, node }: OverlayMember): void {
    const key = `${podKeyOfPort(pod)}@${node}`;
    const networks = this.members.get(key) ?? new Map<string, string[]>();
    this.members.set(key, networks);
    networks.set(network, [...(networks.get(network) ?? []), address]);
  }

  private tell(key: string, { namespace, name, node = '', labels, ports, ips }: ServicePod): void {
    const home = ips.filter((ip) => !this.parts.isNodeAddress(ip));
    const interfaces: PolicyInterface[] = [
      ...(home.length > 0 ? [{ network: DEFAULT_NETWORK, ips: home }] : []),
      ...[...(this.members.get(key) ?? [])].map(([network, addresses]) => ({ network, ips: addresses })),
    ];
    if (interfaces.length === 0) this.parts.policies.removePod(key);
    else this.parts.policies.setPod({ namespace, name, node, labels, ports, interfaces });
  }
}
