/**
 * A data plane without a daemon, for ports that no daemon makes: between namespaces `a` and `b`, each with one TAP.
 *
 *     a: eth0 10.99.0.1, fd99::1 ─── data plane ─── b: eth0 10.99.0.2, fd99::2
 *
 * It runs from dist/, since a worker thread needs JavaScript.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { offloadBits } from '../../src/control/host/tap.js';
import type { PortSpec, Snapshot } from '../../src/dataplane/snapshot.js';
import { compileTables } from '../../src/dataplane/tables.js';
import type { Dataplane, DataplaneOptions } from '../../src/dataplane/worker/handle.js';
import { withNamespace } from '../../src/linux/netns.js';
import { openTap, setHardwareAddress, type Tap } from '../../src/linux/tun.js';
import { WORKERS } from './netns-workers.js';

const HANDLE = new URL('../../dist/src/dataplane/worker/handle.js', import.meta.url);

export const isBuilt = existsSync(HANDLE);

const SIDES = ['a', 'b'] as const;
export type Side = (typeof SIDES)[number];

const SNAPSHOT: Snapshot = {
  generation: 1,
  ports: SIDES.map((name, index) => ({
    id: index + 1,
    name,
    mac: macOf(name),
    addresses: [`10.99.0.${index + 1}`, `fd99::${index + 1}`],
    attachment: { kind: 'domain', domain: 1 },
    routeTable: 1,
    mtu: 1500,
    guard: false,
  })),
  domains: [{ id: 1, name: 'd', gatewayMac: '02:00:00:00:00:fe', gateways: ['10.99.0.254'], learning: true }],
  routes: [{ table: 1, prefix: '10.99.0.254/32', kind: 'local' }],
  neighbours: [],
};

export function macOf(side: Side): string {
  return side === 'a' ? '02:00:00:00:00:01' : '02:00:00:00:00:02';
}

export interface PlaneOptions extends Omit<DataplaneOptions, 'seed'> {
  /** Sides whose device takes finished packets only. */
  readonly plain?: readonly Side[];
}

let made = 0;

export class DataplaneBench {
  private readonly prefix = `pwp${process.pid}x${made++}`;
  private readonly namespaces: string[] = [];
  private dataplane: Dataplane | undefined;
  private generation = 1;
  /** Bits of OFFLOAD that each side's device has. */
  readonly offloads: Partial<Record<Side, number>> = {};

  name(side: Side): string {
    return `${this.prefix}-${side}`;
  }

  async start({ plain = [], ...options }: PlaneOptions): Promise<Dataplane> {
    const handle = (await import(HANDLE.href)) as { Dataplane: typeof Dataplane };
    const dataplane = await handle.Dataplane.start({ workers: WORKERS, ...options, seed: 7 });
    this.dataplane = dataplane;
    for (const [index, side] of SIDES.entries()) {
      const tap = this.makeTap(side, index + 1, plain.includes(side) ? 0 : undefined, options.io === 'poll');
      const offloads = offloadBits(tap);
      this.offloads[side] = offloads;
      await dataplane.addPort({ id: index + 1, name: side, fd: tap.fd, mtu: 1500, offloads });
    }
    await dataplane.swap(compileTables(SNAPSHOT));
    return dataplane;
  }

  /** Puts a snapshot in force in which the sides have these limits and no other. */
  async limit(limits: Partial<Record<Side, Pick<PortSpec, 'rates' | 'impairments'>>>): Promise<void> {
    const ports = SNAPSHOT.ports.map((port) => ({ ...port, ...limits[port.name as Side] }));
    await this.dataplane?.swap(compileTables({ ...SNAPSHOT, generation: ++this.generation, ports }));
  }

  async cleanup(): Promise<void> {
    try {
      await this.dataplane?.stop();
    } finally {
      for (const name of this.namespaces) execFileSync('ip', ['netns', 'del', name]);
    }
  }

  private makeTap(side: Side, host: number, offloads: number | undefined, nonBlocking: boolean): Tap {
    const name = this.name(side);
    execFileSync('ip', ['netns', 'add', name]);
    this.namespaces.push(name);
    const tap = withNamespace(name, () => openTap({ name: 'eth0', mode: 'create', offloads, nonBlocking }));
    setHardwareAddress(tap.fd, Buffer.from(macOf(side).replaceAll(':', ''), 'hex'));
    const ip = (...words: string[]) => execFileSync('ip', ['-n', name, ...words]);
    ip('address', 'add', `10.99.0.${host}/24`, 'dev', 'eth0');
    ip('address', 'add', `fd99::${host}/64`, 'dev', 'eth0', 'nodad');
    ip('link', 'set', 'eth0', 'up');
    return tap;
  }
}
