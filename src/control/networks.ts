/**
 * Networks: the resources, and what is in force of them. Changes come one at a time; each is in force before it
 * is recorded, and is taken back where it cannot be recorded or the host refuses it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Network, NetworkSpec } from './api/types.js';
import { asPodwireError, PodwireError } from './errors.js';
import type { HostAddress } from './host/addresses.js';
import type { KeyedLock } from './keyed-lock.js';
import { hasEgress, isRouted } from './layout.js';
import { type LiveNetwork, NetworkBuilder } from './live-network.js';
import type { Logger } from './logger.js';
import { DEFAULT_NETWORK } from './model/network.js';
import { refuseInUse, refuseRoutersOfPods, whyNotEvolve } from './network-changes.js';
import { type AddressPlan, refuseOverlap, refuseSharedParent } from './network-overlap.js';
import { NetworkUplinks } from './network-uplinks.js';
import type { PlannedNetwork } from './plan.js';
import { checkVersion, type Records, stampMeta } from './records.js';
import type { Uplink } from './uplinks.js';

/** Of the lock: no pod's key is a word alone. */
const LOCK = 'networks';

export type PutResult = 'created' | 'configured' | 'unchanged';

export interface NetworksParts {
  readonly records: Records<Network>;
  readonly plan: AddressPlan;
  readonly lock: KeyedLock;
  readonly log: Logger;
  /** Asks for the addresses of the host's interfaces. */
  readonly hostAddresses: () => Promise<readonly HostAddress[]>;
  /** Where overlay networks are kept for the whole cluster. */
  readonly overlays: OverlayKeeper;
  /** Of a network of mode raw, not open yet. */
  readonly uplinkFor: (spec: NetworkSpec) => Uplink | undefined;
  /** Called when other networks are to be in force; resolves when they are. */
  readonly changed: () => Promise<void>;
}

export interface OverlayKeeper {
  /** Writes the network down for every node; answers it with its VNI. @throws PodwireError */
  put(name: string, network: Network): Promise<Network>;
  delete(name: string): Promise<void>;
}

export class Networks {
  private readonly live = new Map<string, LiveNetwork>();
  private readonly builder = new NetworkBuilder();
  private readonly uplinks: NetworkUplinks;

  constructor(private readonly parts: NetworksParts) {
    const { log, changed } = parts;
    this.uplinks = new NetworkUplinks({ networks: () => this.live.values(), log, changed });
  }

  /**
   * Builds what is stored, and the default network from the daemon's options.
   * @throws PodwireError STATE_MISMATCH where a stored network does not fit these options
   */
  async load(): Promise<void> {
    const { records } = this.parts;
    await records.load();
    await this.claimDefault();
    for (const [name, network] of records.list()) {
      if (name !== DEFAULT_NETWORK) this.checkStored(name, network);
      const { spec } = network;
      const uplink = this.parts.uplinkFor(spec);
      this.live.set(name, { ...this.builder.build(name, spec, false), ...(uplink && { uplink }) });
    }
    await this.uplinks.openAll();
  }

  /** Every two seconds: uplinks whose interfaces have gone, or are back. */
  async renewUplinks(): Promise<void> {
    if (!this.uplinks.needRenewal()) return;
    await this.parts.lock.run(LOCK, () => this.uplinks.renew());
  }

  /** The interface of a raw network has vanished. @returns false where the port is none of them */
  async uplinkDown(port: number, reason: string): Promise<boolean> {
    if (!this.uplinks.has(port)) return false;
    await this.parts.lock.run(LOCK, () => this.uplinks.down(port, reason));
    return true;
  }

  /** Uplinks that are open, as ports. */
  uplinkPorts(): { id: number; name: string }[] {
    return this.planned().flatMap(({ uplink }) => (uplink ? { id: uplink.port, name: uplink.name } : []));
  }

  /** @throws PodwireError NOT_FOUND */
  get(name: string): LiveNetwork {
    const network = this.live.get(name);
    if (network) return network;
    throw new PodwireError('NOT_FOUND', `there is no network ${name}; 'podwire get networks' lists them`);
  }

  find(name: string): LiveNetwork | undefined {
    return this.live.get(name);
  }

  planned(): PlannedNetwork[] {
    return [...this.live.values()].map(({ planned, uplink }) =>
      uplink?.planned ? { ...planned, uplink: uplink.planned } : planned,
    );
  }

  /** The switch's own addresses in networks that are routed. */
  gateways(): string[] {
    return [...this.live.values()].flatMap(({ layout }) => layout.flatMap(({ gateways }) => gateways));
  }

  /** Prefixes that the node reaches through the switch. */
  routedCidrs(): string[] {
    return [...this.live.values()].filter(({ spec }) => isRouted(spec)).flatMap(({ spec }) => spec.cidrs);
  }

  /** Prefixes whose pods have the node's address outside. */
  masqueradedCidrs(): string[] {
    const leaving = [...this.live.values()].filter(
      ({ spec }) => hasEgress(spec) && spec.masquerade !== false,
    );
    return leaving.flatMap(({ spec }) => spec.cidrs);
  }

  /** @throws PodwireError NOT_FOUND */
  view(name: string): Network {
    const { spec, layout, pool, uplink } = this.get(name);
    const { records } = this.parts;
    const resourceVersion = String(records.revision(name));
    return {
      apiVersion: 'podwire.dev/v1',
      kind: 'Network',
      metadata: { name, ...records.get(name)?.metadata, resourceVersion },
      spec,
      status: {
        gateways: layout.flatMap(({ routers }) => routers),
        pods: pool.size,
        ...(uplink?.problem !== undefined && { message: uplink.problem }),
      },
    };
  }

  /** Sorted by name. */
  list(): Network[] {
    const recorded = this.parts.records.list().map(([name]) => name);
    return recorded.filter((name) => this.live.has(name)).map((name) => this.view(name));
  }

  /**
   * @throws PodwireError CONFLICT, PROTECTED, NETWORK_IN_USE, CIDR_OVERLAP, NETWORKS_EXHAUSTED; of raw networks
   * PARENT_IN_USE, INTERFACE_NOT_FOUND and what else keeps the interface from being used
   */
  put(name: string, given: Network): Promise<PutResult> {
    return this.parts.lock.run(LOCK, async () => {
      const { records } = this.parts;
      const existing = records.get(name);
      checkVersion(`network ${name}`, given.metadata, records.revision(name));
      const spec = withVni(given.spec, existing?.spec);
      const network = { ...given, spec, metadata: stampMeta(given.metadata, existing?.metadata) };
      if (isDeepStrictEqual(network, existing)) return 'unchanged';
      if (network.spec.mode === 'overlay') await this.putOverlay(name, network, existing);
      else if (isDeepStrictEqual(network.spec, existing?.spec)) await records.save(name, network);
      else {
        refuseOtherKind(name, existing);
        const after = await this.successor(name, network);
        await this.replace(name, after, () => records.save(name, network));
      }
      return existing ? 'configured' : 'created';
    });
  }

  /**
   * Gives the default network the subnets that the node has now, and new addresses with them. Pods of the old ones
   * have been closed; they are Lost. In force and recorded when it resolves.
   */
  moveDefault(publish: () => Promise<void>): Promise<void> {
    return this.parts.lock.run(LOCK, async () => {
      const before = this.live.get(DEFAULT_NETWORK);
      await this.claimDefault();
      const spec = this.parts.records.get(DEFAULT_NETWORK)?.spec;
      if (!spec || isDeepStrictEqual(spec, before?.spec)) return;
      const after = this.builder.build(DEFAULT_NETWORK, spec, false);
      this.set(DEFAULT_NETWORK, after);
      await publish();
      await this.retire(before, after);
    });
  }

  /** @throws PodwireError NOT_FOUND, PROTECTED, NETWORK_IN_USE */
  delete(name: string): Promise<Network> {
    return this.parts.lock.run(LOCK, async () => {
      const network = this.get(name);
      if (name === DEFAULT_NETWORK) throw protectedError('cannot be deleted');
      refuseInUse(network, `network ${name} cannot be deleted`);
      const view = this.view(name);
      await this.leaving(network, async () => {
        if (network.spec.mode === 'overlay') await this.parts.overlays.delete(name);
        await this.replace(name, undefined, () => this.parts.records.remove(name));
      });
      return view;
    });
  }

  /**
   * Makes an overlay network be as another node has written it, or go; what cannot be here is left out.
   * @throws PodwireError saying why it is left out
   */
  follow(name: string, network: Network | undefined): Promise<void> {
    return this.parts.lock.run(LOCK, async () => {
      const { records } = this.parts;
      const existing = records.get(name);
      if (!network) {
        const before = this.live.get(name);
        if (before?.spec.mode !== 'overlay') return;
        refuseInUse(before, `network ${name}, which another node has deleted, stays`);
        await this.replace(name, undefined, () => records.remove(name));
        return;
      }
      if (isDeepStrictEqual(network, existing)) return;
      if (isDeepStrictEqual(network.spec, existing?.spec)) return records.save(name, network);
      refuseLocal(name, existing);
      const after = await this.successor(name, network);
      await this.replace(name, after, () => records.save(name, network));
    });
  }

  /** Overlay networks in force. */
  overlays(): LiveNetwork[] {
    return [...this.live.values()].filter(({ spec }) => spec.mode === 'overlay');
  }

  /** The cluster's record comes first: with the VNI that it has there the network is made here. */
  private async putOverlay(name: string, network: Network, existing: Network | undefined): Promise<void> {
    const { records, overlays } = this.parts;
    refuseLocal(name, existing);
    if (!isDeepStrictEqual(network.spec, existing?.spec)) await this.checkChange(name, network);
    const complete = await overlays.put(name, network);
    if (isDeepStrictEqual(complete.spec, existing?.spec)) return records.save(name, complete);
    const after = await this.successor(name, complete);
    await this.replace(name, after, () => records.save(name, complete));
  }

  private async claimDefault(): Promise<void> {
    const { records, plan } = this.parts;
    const existing = records.get(DEFAULT_NETWORK);
    const spec: NetworkSpec = { mode: 'routed', cidrs: [...plan.podCidrs] };
    if (existing && isDeepStrictEqual(existing.spec, spec)) return;
    const metadata = existing?.metadata ?? stampMeta({ name: DEFAULT_NETWORK }, undefined);
    await records.save(DEFAULT_NETWORK, { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata, spec });
  }

  private checkStored(name: string, network: Network): void {
    try {
      refuseOverlap(network, [], this.parts.plan, []);
    } catch (error) {
      const { message } = asPodwireError(error);
      throw new PodwireError(
        'STATE_MISMATCH',
        `stored network ${name} does not fit these options: ${message}`,
      );
    }
  }

  /** What is to take the network's place. Nothing is in force yet. */
  private async successor(name: string, network: Network): Promise<LiveNetwork> {
    const goesOn = await this.checkChange(name, network);
    if (goesOn) return this.builder.evolve(goesOn, network.spec);
    return this.leaving(this.live.get(name), async () => {
      const built = this.builder.build(name, network.spec, true);
      try {
        const uplink = await this.uplinkOf(name, network.spec);
        return { ...built, ...(uplink && { uplink }) };
      } catch (error) {
        this.builder.release(built);
        throw error;
      }
    });
  }

  /** Nobody comes to a network without pods while it is on its way out; where it stays after all, everybody may again. */
  private async leaving<T>(network: LiveNetwork | undefined, steps: () => Promise<T>): Promise<T> {
    if (network) network.frozen = true;
    try {
      return await steps();
    } catch (error) {
      if (network) network.frozen = false;
      throw error;
    }
  }

  /** The one that the network has, where it is the same; else a new one, open. */
  private async uplinkOf(name: string, spec: NetworkSpec): Promise<Uplink | undefined> {
    const earlier = this.live.get(name)?.uplink;
    if (earlier?.fits(spec)) {
      earlier.checkMtu(spec);
      return earlier;
    }
    const uplink = this.parts.uplinkFor(spec);
    if (!uplink) return undefined;
    await uplink.open(false);
    try {
      uplink.checkMtu(spec);
      return uplink;
    } catch (error) {
      await uplink.withdraw()();
      throw error;
    }
  }

  /** @returns the network that goes on under the new spec; undefined where another is to be built. */
  private async checkChange(name: string, network: Network): Promise<LiveNetwork | undefined> {
    const host = await this.parts.hostAddresses();
    const before = this.live.get(name);
    if (name === DEFAULT_NETWORK) throw protectedError('has the spec that the daemon’s options give it');
    const others = [...this.live.values()].filter((other) => other.name !== name);
    refuseOverlap(network, others, this.parts.plan, host);
    refuseSharedParent(network, others);
    if (!before) return undefined;
    const fixed = whyNotEvolve(before, network.spec);
    if (fixed !== undefined) {
      refuseInUse(before, fixed);
      return undefined;
    }
    refuseRoutersOfPods(before, network.spec);
    before.uplink?.checkMtu(network.spec);
    return before;
  }

  /** Puts `after` in the network's place, in force and recorded, or leaves everything as it was. */
  private async replace(
    name: string,
    after: LiveNetwork | undefined,
    record: () => Promise<void>,
  ): Promise<void> {
    const before = this.live.get(name);
    this.set(name, after);
    try {
      await this.parts.changed();
      await record();
    } catch (error) {
      this.set(name, before);
      if (before) before.frozen = false;
      await this.parts.changed().catch((failure) => {
        this.parts.log.error({ network: name, error: String(failure) }, 'undo failed');
      });
      await this.retire(after, before);
      throw error;
    }
    if (after) {
      after.frozen = false;
      if (after.pool === before?.pool) after.pool.setRanges(after.layout);
    }
    await this.retire(before, after);
  }

  private set(name: string, network: LiveNetwork | undefined): void {
    if (network) this.live.set(name, network);
    else this.live.delete(name);
  }

  /** Frees what a network had, unless its other version goes on with it. */
  private async retire(network: LiveNetwork | undefined, other: LiveNetwork | undefined): Promise<void> {
    if (!network) return;
    this.builder.release(network, other);
    if (network.uplink !== other?.uplink) await network.uplink?.withdraw()();
  }
}

/** An overlay keeps the VNI that was chosen for it. */
function withVni(given: NetworkSpec, existing: NetworkSpec | undefined): NetworkSpec {
  if (given.mode !== 'overlay' || given.vni !== undefined || existing?.vni === undefined) return given;
  return { ...given, vni: existing.vni };
}

/** A network of one node cannot become one of the cluster, nor the other way round. */
function refuseLocal(name: string, existing: Network | undefined): void {
  if (existing === undefined || existing.spec.mode === 'overlay') return;
  throw new PodwireError(
    'CONFLICT',
    `network ${name} of mode ${existing.spec.mode} is this node's own: delete it, or name the overlay otherwise`,
    'metadata.name',
  );
}

function refuseOtherKind(name: string, existing: Network | undefined): void {
  if (existing?.spec.mode !== 'overlay') return;
  throw new PodwireError(
    'CONFLICT',
    `network ${name} is an overlay of the cluster: delete it first, or choose another name`,
    'metadata.name',
  );
}

function protectedError(why: string): PodwireError {
  return new PodwireError('PROTECTED', `network ${DEFAULT_NETWORK} ${why}`);
}
