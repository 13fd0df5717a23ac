/**
 * A data plane without a daemon whose pods are on somebody else's network: namespaces of pods with a TAP each, and a veth
 * pair between `host`, where podwire has a packet socket on lan0, and `lan`, where the kernel is a host of that network.
 *
 *     a: eth0 10.98.0.1, fd98::1 ─┬─ data plane ── packet socket ── host: lan0 ═══ lan: eth0 10.98.0.100, fd98::100
 *     b: eth0 10.98.0.2, fd98::2 ─┘
 *
 * It runs from dist/, since a worker thread needs JavaScript.
 */
import { execFileSync } from 'node:child_process';
import { openRaw, type RawLink } from '../../src/control/host/raw.js';
import { offloadBits } from '../../src/control/host/tap.js';
import { DROP, type DropReasonName } from '../../src/dataplane/drop-reasons.js';
import type { DomainSpec, PortSpec } from '../../src/dataplane/snapshot.js';
import { compileTables } from '../../src/dataplane/tables.js';
import type { Dataplane, DataplaneOptions } from '../../src/dataplane/worker/handle.js';
import { closeFile } from '../../src/linux/libc.js';
import { openNamespace, withNamespace } from '../../src/linux/netns.js';
import { openTap, setHardwareAddress } from '../../src/linux/tun.js';
import { WORKERS } from './netns-workers.js';

const HANDLE = new URL('../../dist/src/dataplane/worker/handle.js', import.meta.url);

export const LAN = { ip: '10.98.0.100', ip6: 'fd98::100', mac: '02:00:00:00:98:64' } as const;
export const UPLINK = 10;

export function podMac(id: number): string {
  return `02:00:00:00:98:0${id}`;
}

let made = 0;

export class RawBench {
  dataplane!: Dataplane;
  private readonly prefix = `pwr${process.pid}x${made++}`;
  private readonly namespaces: string[] = [];
  private readonly ports: PortSpec[] = [];
  private readonly domains = new Map<number, DomainSpec>();
  private generation = 0;
  private isPolling = false;

  name(short: string): string {
    return `${this.prefix}-${short}`;
  }

  async start(options: DataplaneOptions): Promise<void> {
    const handle = (await import(HANDLE.href)) as { Dataplane: typeof Dataplane };
    this.dataplane = await handle.Dataplane.start({ workers: WORKERS, ...options, seed: 7 });
    this.isPolling = options.io === 'poll';
  }

  /** Of any short name; without IPv6 of its own accord, so that nothing is said unasked. */
  namespace(short: string): string {
    const name = this.name(short);
    this.run('netns', 'add', name);
    this.namespaces.push(name);
    this.run('-n', name, 'link', 'set', 'lo', 'up');
    return name;
  }

  /** The veth pair; the kernel of `lan` has addresses where it is a host there. */
  wire(isHost = true): void {
    const [host, lan] = [this.namespace('host'), this.namespace('lan')];
    this.run('-n', host, 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', lan);
    this.run('-n', host, 'link', 'set', 'lan0', 'addrgenmode', 'none', 'up');
    this.run('-n', lan, 'link', 'set', 'eth0', 'addrgenmode', 'none', 'address', LAN.mac, 'up');
    if (!isHost) return;
    this.run('-n', lan, 'address', 'add', `${LAN.ip}/24`, 'dev', 'eth0');
    this.run('-n', lan, 'address', 'add', `${LAN.ip6}/64`, 'dev', 'eth0', 'nodad');
  }

  /** Pod `id`, 1 to 9, in namespace `short`. */
  async pod(short: string, id: number, domain = 1): Promise<void> {
    const name = this.namespace(short);
    const nonBlocking = this.isPolling;
    const tap = withNamespace(name, () => openTap({ name: 'eth0', mode: 'create', nonBlocking }));
    setHardwareAddress(tap.fd, Buffer.from(podMac(id).replaceAll(':', ''), 'hex'));
    this.run('-n', name, 'link', 'set', 'eth0', 'addrgenmode', 'none');
    for (const address of [`10.98.0.${id}/24`, `fd98::${id}/64`]) {
      const quick = address.includes(':') ? ['nodad'] : [];
      this.run('-n', name, 'address', 'add', address, 'dev', 'eth0', ...quick);
    }
    this.run('-n', name, 'link', 'set', 'eth0', 'up');
    const offloads = offloadBits(tap);
    await this.dataplane.addPort({ id, name: short, fd: tap.fd, mtu: 1500, offloads });
    this.addMember({ id, name: short, mac: podMac(id), domain, addresses: [`10.98.0.${id}`, `fd98::${id}`] });
    await this.swap();
  }

  /** A port on an interface of a namespace, as the uplink of its domain or, with a MAC address, as a pod is. */
  async raw(
    id: number,
    short: string,
    ifname: string,
    { domain = 1, vlan, guest }: { domain?: number; vlan?: number; guest?: { mac: string; ip: string } } = {},
  ): Promise<RawLink> {
    const link = this.open(short, ifname, vlan);
    const { fd, mtu, offloads } = link;
    await this.dataplane.addRaw({ id, name: ifname, fd, mtu, offloads, vlan });
    const addresses = guest === undefined ? [] : [guest.ip];
    this.addMember({ id, name: ifname, mac: guest?.mac ?? link.mac, domain, addresses });
    const { name, gatewayMac, gateways, learning } = this.domains.get(domain)!;
    const uplink = guest === undefined ? id : undefined;
    this.domains.set(domain, { id: domain, name, gatewayMac, gateways, learning, uplink });
    await this.swap();
    return link;
  }

  open(short: string, ifname: string, vlan?: number): RawLink {
    const namespace = openNamespace(this.name(short));
    try {
      return openRaw(namespace, { ifname, vlan, nonBlocking: this.isPolling });
    } finally {
      closeFile(namespace);
    }
  }

  drops(port: number, reason: DropReasonName): number {
    return this.dataplane.counters.portDrops(port, DROP[reason]);
  }

  run(...words: string[]): string {
    return execFileSync('ip', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  async cleanup(): Promise<void> {
    try {
      await this.dataplane?.stop();
    } finally {
      for (const name of this.namespaces) execFileSync('ip', ['netns', 'del', name]);
    }
  }

  private addMember(port: Pick<PortSpec, 'id' | 'name' | 'mac' | 'addresses'> & { domain: number }): void {
    const { domain, ...spec } = port;
    const attachment = { kind: 'domain' as const, domain };
    this.ports.push({ ...spec, attachment, routeTable: 0, mtu: 1500, guard: true });
    const gatewayMac = `02:00:00:00:98:f${domain}`;
    if (this.domains.has(domain)) return;
    this.domains.set(domain, { id: domain, name: `d${domain}`, gatewayMac, gateways: [], learning: false });
  }

  private async swap(): Promise<void> {
    const neighbours = this.ports.flatMap(({ id, mac, addresses, attachment }) =>
      attachment.kind === 'domain'
        ? addresses.map((address) => ({ domain: attachment.domain, address, mac, port: id }))
        : [],
    );
    const domains = [...this.domains.values()];
    const snapshot = { generation: ++this.generation, ports: this.ports, domains, routes: [], neighbours };
    await this.dataplane.swap(compileTables(snapshot));
  }
}
