/**
 * Uplinks: the interfaces of the host that networks of mode `raw` are on, as ports of the switch. A network's uplink is
 * opened when the network is put, and taken up when the daemon starts. An interface that is deleted meanwhile costs the
 * network its uplink and nothing else: pods of the network go on reaching one another, and Reconciler opens the uplink
 * again when the interface is back.
 *
 * The host itself is not reached by it, as with macvlan: src/linux/packet-socket.ts.
 */
import { networkInterfaces } from 'node:os';
import type { NetworkSpec } from './api/types.js';
import { canonicalIp, holds } from './cidr.js';
import { asPodwireError, invalid, PodwireError } from './errors.js';
import { isRawGone, openRaw, type RawLink } from './host/raw.js';
import type { AddressPool } from './ipam.js';
import type { PlannedUplink } from './plan.js';
import type { Ports } from './ports.js';

export interface UplinkParts {
  readonly ports: Ports;
  /** What the data plane's driver needs. */
  readonly nonBlocking: boolean;
}

export class Uplink {
  /** In the snapshot, once it is published; undefined while the interface is away. */
  planned: PlannedUplink | undefined;
  /** Why it is not open. */
  problem: string | undefined;
  /** The data plane's while it is planned, good for questions. */
  private link: RawLink | undefined;

  constructor(
    private readonly parts: UplinkParts,
    private readonly parent: string,
    private readonly vlan: number | undefined,
  ) {}

  /** The name of its port: `eth0`, or `eth0.12`. */
  get name(): string {
    return uplinkName(this.parent, this.vlan);
  }

  fits({ parent, vlan }: NetworkSpec): boolean {
    return parent === this.parent && vlan === this.vlan;
  }

  /** Its port is closed until it is published. @throws PodwireError */
  async open(mayBeDown: boolean): Promise<void> {
    const { parent: ifname, vlan, name } = this;
    const { ports, nonBlocking } = this.parts;
    try {
      const link = openRaw(undefined, {
        ifname,
        nonBlocking,
        mayBeDown,
        ...(vlan !== undefined && { vlan }),
      });
      const port = await ports.addRaw({ name, ...(vlan !== undefined && { vlan }) }, link);
      this.planned = { port, name, mac: link.mac, mtu: link.mtu };
      this.link = link;
      this.problem = undefined;
    } catch (error) {
      const { code, message } = asPodwireError(error);
      this.problem = message;
      throw new PodwireError(code, `spec.parent: ${message}`, 'spec.parent', error);
    }
  }

  /** It is open, and its interface was deleted. */
  isGone(): boolean {
    return this.planned !== undefined && this.link !== undefined && isRawGone(this.link);
  }

  /** Out of what is published next. @returns closes its port, for afterwards. */
  withdraw(problem?: string): () => Promise<void> {
    const { planned } = this;
    this.planned = undefined;
    this.problem = problem;
    return async () => {
      if (planned) await this.parts.ports.removeRaw(planned.port);
    };
  }

  /** What pods of a network of this spec have. @throws PodwireError while the interface is away */
  mtuFor({ mtu }: NetworkSpec): number {
    if (this.planned) return Math.min(mtu ?? this.planned.mtu, this.planned.mtu);
    throw new PodwireError('INTERFACE_NOT_FOUND', this.problem ?? `interface ${this.parent} is away`);
  }

  /** @throws PodwireError INVALID */
  checkMtu({ mtu }: NetworkSpec): void {
    if (mtu === undefined || this.planned === undefined || mtu <= this.planned.mtu) return;
    throw invalid('spec.mtu', `must be at most the ${this.planned.mtu} of ${this.parent}`);
  }
}

export function uplinkName(parent: string, vlan: number | undefined): string {
  return vlan === undefined ? parent : `${parent}.${vlan}`;
}

/** On the LAN the host has addresses too, which change as they like: pods get none of them. */
export function avoidHostAddresses(pool: AddressPool, cidrs: readonly string[]): void {
  const found = Object.entries(networkInterfaces()).flatMap(([ifname, addresses = []]) =>
    addresses
      .filter(({ address }) => !address.includes('%') && cidrs.some((cidr) => holds(cidr, address)))
      .map(({ address }) => ({ address: canonicalIp(address), holder: `the host's interface ${ifname}` })),
  );
  pool.keepForeign(new Set(found.map(({ address }) => address)));
  for (const { address, holder } of found) pool.claimForeign(holder, address);
}
