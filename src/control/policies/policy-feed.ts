/**
 * Tells LivePolicies what this node knows: its own pods, those of others, nodes with their addresses, and overlays. Whoever
 * changes one of these says so here; what is the same is not told again.
 */
import type { Node } from '../api/types.js';
import type { OverlayMember } from '../cluster/overlay-member.js';
import type { PodListener } from '../cluster/published-pods.js';
import type { LiveNetwork } from '../live-network.js';
import type { AttachmentRecord, PodRecord } from '../records.js';
import type { ServicePod } from '../services/types.js';
import type { LivePolicies } from './live-policies.js';
import { OtherPolicyPods } from './other-policy-pods.js';
import { OwnPolicyPods } from './own-policy-pods.js';
import { policyNodes } from './policy-nodes.js';

export interface PolicyFeedParts {
  readonly policies: LivePolicies;
  /** Name of this node. */
  readonly node: string;
  /** By NAMESPACE/NAME. */
  readonly records: () => Iterable<[key: string, record: PodRecord]>;
  /** Number of an attachment's port; undefined: it has none. */
  readonly portOf: (attachment: AttachmentRecord) => number | undefined;
  readonly nodes: () => readonly Node[];
  /** Subnets of this node. */
  readonly podCidrs: () => readonly string[];
  /** All that this node's kernel answers to. */
  readonly addresses: () => readonly string[];
  readonly clusterCidrs: () => readonly string[];
  readonly overlays: () => readonly LiveNetwork[];
  /** Pods of other nodes in an overlay. */
  readonly members: (network: string) => readonly OverlayMember[];
}

export class PolicyFeed implements PodListener {
  private readonly own: OwnPolicyPods;
  private readonly others: OtherPolicyPods;
  private nodeAddresses = new Set<string>();
  /** What nodes were told from. */
  private ownAddresses = '';
  private domains = '';

  constructor(private readonly parts: PolicyFeedParts) {
    this.own = new OwnPolicyPods(parts);
    this.others = new OtherPolicyPods({
      members: () => parts.overlays().flatMap(({ name }) => parts.members(name)),
      isNodeAddress: (address) => this.nodeAddresses.has(address),
      policies: parts.policies,
    });
  }

  /** Everything may be other than before. */
  refresh(): void {
    this.nodesChanged();
    this.overlaysChanged();
    this.own.refresh();
  }

  /** Another snapshot is in force: of this node something may be different. */
  snapshotChanged(): void {
    if (this.ownNow() !== this.ownAddresses) this.nodesChanged();
    if (this.domainsNow() !== this.domains) this.overlaysChanged();
    this.own.refresh();
  }

  /** Records of this node's pods are others. */
  podsChanged(): void {
    this.own.refresh();
  }

  nodesChanged(): void {
    const { policies, node: name, nodes, podCidrs, addresses } = this.parts;
    this.ownAddresses = this.ownNow();
    const known = policyNodes(nodes(), { name, podCidrs: podCidrs(), addresses: addresses() });
    const before = this.nodeAddresses;
    this.nodeAddresses = new Set(known.flatMap((node) => node.addresses));
    policies.setNodes(known);
    if (!isSame(before, this.nodeAddresses)) this.others.refresh();
  }

  /** Members too. */
  overlaysChanged(): void {
    const { policies, overlays, clusterCidrs } = this.parts;
    this.domains = this.domainsNow();
    const networks = overlays();
    policies.setOverlays(new Map(networks.map(({ name, planned }) => [name, planned.domains[0].id])));
    policies.setClusterCidrs([...clusterCidrs(), ...networks.flatMap(({ spec }) => spec.cidrs)]);
    this.others.refresh();
  }

  setPod(pod: ServicePod): void {
    this.others.setPod(pod);
  }

  removePod(key: string): void {
    this.others.removePod(key);
  }

  /**
   * The pod is about to be attached like this. Resolves when what holds for it is in force.
   * @throws PodwireError STORE_UNREACHABLE where policies are not known
   */
  async enforce(key: string, record: PodRecord): Promise<void> {
    this.parts.policies.checkKnown();
    this.own.expect(key, record);
    await this.parts.policies.settled();
  }

  /** It is attached, or is not to be. */
  arrived(key: string): void {
    this.own.arrived(key);
  }

  /** Resolves when what was changed is in force. */
  settled(): Promise<void> {
    return this.parts.policies.settled();
  }

  private ownNow(): string {
    return `${this.parts.podCidrs()} ${this.parts.addresses()}`;
  }

  private domainsNow(): string {
    return this.parts
      .overlays()
      .map(({ name, planned, spec }) => `${name} ${planned.domains[0].id} ${spec.cidrs}`)
      .join();
  }
}

function isSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one));
}
