/**
 * The overlay networks of the cluster: every node has them all.
 *
 *     cluster/networks/NAME   Network
 *     cluster/vnis/N          name of the network that has this VNI
 *
 * The VNI is taken by compare-and-swap before the network is written, so that two networks never share one.
 */
import type { Network } from '../api/types.js';
import { asPodwireError, PodwireError } from '../errors.js';
import { parseNetwork } from '../model/network.js';
import { Mirror, type MirrorChange, type MirrorOptions } from '../store/mirror.js';
import { ABSENT, type Json, type Store } from '../store/store.js';

export const OVERLAY_NETWORKS = 'cluster/networks/';
const VNIS = 'cluster/vnis/';

/** VNIs that are chosen begin here: those below are left to people. */
const FIRST_VNI = 4096;
const LAST_VNI = 0xff_ffff;

export interface KnownNetwork {
  readonly network: Network;
  /** Of its record in the cluster store. */
  readonly revision: number;
}

export interface OverlayNetworksParts {
  /** The cluster store. */
  readonly store: Store;
  /** VNI of the routed network between nodes, which no overlay may have. */
  readonly routedVni: number;
  /** A network was added, changed or (undefined) removed, here or elsewhere. */
  readonly onChange: (name: string, known: KnownNetwork | undefined) => void;
  readonly mirror?: Pick<MirrorOptions, 'clock' | 'backoff' | 'onError'>;
}

export class OverlayNetworks {
  private readonly mirror: Mirror;
  private readonly known = new Map<string, KnownNetwork>();
  private readonly waiting = new Set<{ readonly revision: number; readonly resolve: () => void }>();

  constructor(private readonly parts: OverlayNetworksParts) {
    this.mirror = new Mirror(parts.store, {
      prefix: OVERLAY_NETWORKS,
      ...parts.mirror,
      onChange: (change) => this.changed(change),
    });
  }

  start(): Promise<void> {
    return this.mirror.start();
  }

  close(): void {
    this.mirror.close();
    for (const { resolve } of this.waiting) resolve();
  }

  get(name: string): KnownNetwork | undefined {
    return this.known.get(name);
  }

  /**
   * Writes a network, with a VNI where it has none, and returns it as it is then known here.
   * @param revision that the record has now; ABSENT: there is none
   * @throws PodwireError CONFLICT, VNI_IN_USE, STORE_UNREACHABLE
   */
  async put(name: string, network: Network, revision: number): Promise<Network> {
    const before = this.known.get(name)?.network.spec.vni;
    const vni = await this.takeVni(name, network.spec.vni ?? before);
    const complete: Network = { ...network, spec: { ...network.spec, vni } };
    try {
      const written = await this.parts.store.put(OVERLAY_NETWORKS + name, asJson(complete), revision);
      await this.seen(written);
    } catch (error) {
      if (vni !== before) await this.dropVni(name, vni);
      throw error;
    }
    if (before !== undefined && before !== vni) await this.dropVni(name, before);
    return complete;
  }

  /** @throws PodwireError CONFLICT, STORE_UNREACHABLE */
  async delete(name: string): Promise<void> {
    const known = this.known.get(name);
    if (!known) return;
    const revision = await this.parts.store.delete(OVERLAY_NETWORKS + name, known.revision);
    if (revision !== undefined) await this.seen(revision);
    if (known.network.spec.vni !== undefined) await this.dropVni(name, known.network.spec.vni);
  }

  private async takeVni(name: string, wanted: number | undefined): Promise<number> {
    if (wanted !== undefined) return this.takeThis(name, wanted);
    const { entries } = await this.parts.store.list(VNIS);
    const taken = new Set([
      this.parts.routedVni,
      ...entries.map(({ key }) => Number(key.slice(VNIS.length))),
    ]);
    for (let vni = FIRST_VNI; vni <= LAST_VNI; vni++) {
      if (taken.has(vni)) continue;
      try {
        return await this.takeThis(name, vni);
      } catch (error) {
        if (asPodwireError(error).code !== 'VNI_IN_USE') throw error;
      }
    }
    throw new PodwireError('VNI_IN_USE', 'every VXLAN network identifier is taken');
  }

  private async takeThis(name: string, vni: number): Promise<number> {
    const field = 'spec.vni';
    if (vni === this.parts.routedVni) {
      throw new PodwireError(
        'VNI_IN_USE',
        `${field}: ${vni} carries the routed network between nodes`,
        field,
      );
    }
    for (;;) {
      const found = await this.parts.store.get(VNIS + vni);
      if (found?.value === name) return vni;
      if (found) {
        throw new PodwireError(
          'VNI_IN_USE',
          `${field}: ${vni} is that of network ${String(found.value)}`,
          field,
        );
      }
      try {
        await this.parts.store.put(VNIS + vni, name, ABSENT);
        return vni;
      } catch (error) {
        if (asPodwireError(error).code !== 'CONFLICT') throw error;
      }
    }
  }

  private async dropVni(name: string, vni: number): Promise<void> {
    const found = await this.parts.store.get(VNIS + vni).catch(() => undefined);
    if (found?.value !== name) return;
    await this.parts.store.delete(VNIS + vni, found.revision).catch(() => {});
  }

  /** Resolves when this change has come back through the watch, or soon where the store has gone away. */
  private seen(revision: number): Promise<void> {
    if (this.mirror.revision >= revision) return Promise.resolve();
    return new Promise((resolve) => {
      const waiter = { revision, resolve: done };
      const timer = setTimeout(done, MOST_WAIT);
      const { waiting } = this;
      function done(): void {
        clearTimeout(timer);
        waiting.delete(waiter);
        resolve();
      }
      waiting.add(waiter);
    });
  }

  private changed({ key, value, revision, reset }: MirrorChange): void {
    const name = key.slice(OVERLAY_NETWORKS.length);
    // A network that the store has lost is still in use: it stays until somebody deletes it.
    if (!(value === undefined && reset)) this.apply(name, value, revision);
    for (const waiter of [...this.waiting]) if (waiter.revision <= revision) waiter.resolve();
  }

  private apply(name: string, value: Json | undefined, revision: number): void {
    const known = value === undefined ? undefined : readNetwork(name, value, revision);
    if (known) this.known.set(name, known);
    else this.known.delete(name);
    this.parts.onChange(name, known);
  }
}

/** How long a writer waits for its own change (ms). */
const MOST_WAIT = 5000;

/** undefined for what cannot be read, or is no overlay: it is as if it were not there. */
function readNetwork(name: string, value: Json, revision: number): KnownNetwork | undefined {
  try {
    const network = parseNetwork(value);
    const isSound = network.spec.mode === 'overlay' && network.spec.vni !== undefined;
    return isSound && network.metadata.name === name ? { network, revision } : undefined;
  } catch {
    return undefined;
  }
}

function asJson(network: Network): Json {
  const { status: _, ...rest } = network;
  return JSON.parse(JSON.stringify(rest)) as Json;
}
