/**
 * The overlay networks of the cluster as this node has them: follows what other nodes write, takes addresses of pods
 * for the whole cluster, and knows which addresses are behind which node.
 *
 * A network that cannot be here (its name or prefix is in use) is left out, with a line in the log; the others go
 * on. While the cluster store is away, pods in overlays keep their addresses and members of other nodes stay known;
 * nothing new can be attached to them.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { Network } from './api/types.js';
import type { OverlayMember } from './cluster/overlay-member.js';
import { OverlayMembers } from './cluster/overlay-members.js';
import { type KnownNetwork, OverlayNetworks } from './cluster/overlay-networks.js';
import { asPodwireError, PodwireError } from './errors.js';
import type { LiveNetwork } from './live-network.js';
import { type Logger, RepeatedLog } from './logger.js';
import type { Networks, OverlayKeeper } from './networks.js';
import type { PlannedMember } from './plan.js';
import type { AttachmentRecord } from './records.js';
import { ABSENT, type Store } from './store/store.js';

export interface OverlaysParts {
  /** The cluster store. */
  readonly store: Store;
  readonly self: { readonly name: string; readonly uid: string };
  /** VNI of the routed network. */
  readonly routedVni: number;
  readonly networks: () => Networks;
  /** Names of the nodes of the cluster, this one among them once they are known. */
  readonly nodes: () => readonly string[];
  /** Members of other nodes have changed: publish soon. */
  readonly changed: () => void;
  readonly log: Logger;
}

/** How long a daemon that starts waits for the store to tell of overlays (ms). */
const START_WAIT = 3000;

export class Overlays implements OverlayKeeper {
  private readonly records: OverlayNetworks;
  private readonly members: OverlayMembers;
  private readonly repeated: RepeatedLog;
  private started = false;
  /** Nodes with members that were not known in the last round. */
  private unknown: ReadonlySet<string> = new Set();

  constructor(private readonly parts: OverlaysParts) {
    const { store, self, routedVni, log } = parts;
    this.repeated = new RepeatedLog(log);
    this.records = new OverlayNetworks({
      store,
      routedVni,
      onChange: (name, known) => void this.follow(name, known),
    });
    this.members = new OverlayMembers({ store, self, onChange: (network) => this.membersChanged(network) });
  }

  /** Follows the cluster store. Resolves when what it holds is known, or after a while where it does not answer. */
  async start(): Promise<void> {
    const following = this.begin().catch((error) => {
      if (asPodwireError(error).code !== 'STOPPING') throw error;
    });
    await Promise.race([following, pause(START_WAIT, undefined, { ref: false })]);
  }

  close(): void {
    this.records.close();
    this.members.close();
  }

  put(name: string, network: Network): Promise<Network> {
    return this.records.put(name, network, this.records.get(name)?.revision ?? ABSENT);
  }

  delete(name: string): Promise<void> {
    return this.records.delete(name);
  }

  /** Takes a pod's addresses for the whole cluster. @throws PodwireError ADDRESS_IN_USE, STORE_UNREACHABLE */
  async claim(pod: string, attachment: AttachmentRecord): Promise<void> {
    try {
      await this.members.claim(pod, attachment);
    } catch (error) {
      if (asPodwireError(error).code === 'ADDRESS_IN_USE') this.takeForeign(attachment.network);
      throw error;
    }
  }

  /** Gives them back; where the store is away, `round` does it later. */
  async release(pod: string): Promise<void> {
    try {
      await this.members.release(pod);
    } catch (error) {
      const { message } = asPodwireError(error);
      this.parts.log.warn({ pod, error: message }, 'released later');
    }
  }

  /** A pod is attached since an earlier run of the daemon. */
  hold(pod: string, attachment: AttachmentRecord): void {
    this.members.hold(pod, attachment);
  }

  /** Who has an address of this node's pod: it must not be used here. */
  lostTo(pod: string): string | undefined {
    return this.members.lostTo(pod);
  }

  private async begin(): Promise<void> {
    await Promise.all([this.records.start(), this.members.start()]);
    this.started = true;
    for (const { name } of this.parts.networks().overlays()) {
      await this.follow(name, this.records.get(name));
    }
  }

  /** Makes the cluster's records say what is attached here: after an outage or a loss of data. */
  async round(): Promise<void> {
    if (!this.started) return;
    try {
      await this.members.reassert();
      await this.members.tidy();
      await this.forgetDeletedNodes();
      this.repeated.clear('round');
    } catch (error) {
      const { code, message } = asPodwireError(error);
      this.repeated.warn('round', { code, error: message }, 'overlay addresses not written down');
    }
  }

  /** Removes what nodes had that have been deleted: those that nobody knows in two rounds. */
  private async forgetDeletedNodes(): Promise<void> {
    const known = new Set(this.parts.nodes());
    if (!known.has(this.parts.self.name)) return;
    const unknown = new Set(this.members.nodes().filter((name) => !known.has(name)));
    for (const name of unknown) if (this.unknown.has(name)) await this.members.forgetNode(name);
    this.unknown = unknown;
  }

  /** Pods of other nodes in this network. */
  membersOf(network: string): PlannedMember[] {
    return this.members.others(network).map(({ address, mac, node }) => ({ address, mac, node }));
  }

  /** The same, by their pods. */
  othersIn(network: string): readonly OverlayMember[] {
    return this.members.others(network);
  }

  private async follow(name: string, known: KnownNetwork | undefined): Promise<void> {
    try {
      await this.parts.networks().follow(name, known?.network);
      this.takeForeign(name);
      this.repeated.clear(name);
    } catch (error) {
      const { code, message } = asPodwireError(error);
      this.repeated.warn(name, { network: name, code, error: message }, 'overlay network not followed');
    }
  }

  private membersChanged(network: string): void {
    this.takeForeign(network);
    this.parts.changed();
  }

  /** Keeps this node's pool from giving out what pods of other nodes have. */
  private takeForeign(name: string): void {
    const network: LiveNetwork | undefined = this.parts.networks().find(name);
    if (network?.spec.mode !== 'overlay') return;
    const members = this.members.others(name);
    network.pool.keepForeign(new Set(members.map(({ address }) => address)));
    for (const { address, pod, node } of members)
      network.pool.claimForeign(`pod ${pod} of node ${node}`, address);
  }
}

/** For a node without a tunnel to others. */
export const NO_OVERLAYS: OverlayKeeper &
  Pick<
    Overlays,
    'claim' | 'release' | 'hold' | 'lostTo' | 'start' | 'round' | 'membersOf' | 'othersIn' | 'close'
  > = {
  put: () => Promise.reject(noTunnel()),
  delete: async () => {},
  claim: () => Promise.reject(noTunnel()),
  release: async () => {},
  hold: () => {},
  lostTo: () => undefined,
  start: async () => {},
  round: async () => {},
  membersOf: () => [],
  othersIn: () => [],
  close: () => {},
};

function noTunnel(): PodwireError {
  return new PodwireError(
    'UNSUPPORTED',
    'spec.mode: an overlay spans nodes, and this one has no tunnel: start its daemon with --underlay',
    'spec.mode',
  );
}
