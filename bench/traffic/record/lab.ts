/**
 * Three namespaces in which captures are made. Addresses and MACs are given, so that nothing of the machine is in a
 * capture; none of them is announced or looked up anywhere.
 *
 *     client                       router                       server
 *     eth0 10.9.1.2   ◄── veth ──► eth1 10.9.1.1
 *          fd09:1::2               eth2 10.9.2.1   ◄── veth ──► eth0 10.9.2.2
 *          …:09:01:02              …:09:01:01, …:09:02:01            fd09:2::2, …:09:02:02
 *
 * Offloads are off at every device unless asked for: captures then show packets as they are on a wire.
 */
import { run } from '../../shell.js';

export type Place = 'client' | 'router' | 'server';

/** A device: whose, its name, the network it is in and its number there. */
const DEVICES: readonly (readonly [Place, string, number, number])[] = [
  ['client', 'eth0', 1, 2],
  ['router', 'eth1', 1, 1],
  ['router', 'eth2', 2, 1],
  ['server', 'eth0', 2, 2],
];

/** All that lets the kernel pass on a packet larger than the MTU, or with an unfinished checksum. */
const OFFLOADS = ['tx', 'sg', 'tso', 'gso', 'gro'];

let made = 0;

export class Lab {
  private readonly prefix = `pwrec-${process.pid}-${made++}`;
  private readonly places: Place[] = [];

  /** @throws Error where a namespace or device cannot be made; what was made is gone again then. */
  constructor(offloads: boolean) {
    try {
      for (const place of ['client', 'router', 'server'] as const) this.addNamespace(place);
      this.join();
      for (const device of DEVICES) this.configure(device, offloads);
      this.route();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  namespace(place: Place): string {
    return `${this.prefix}-${place}`;
  }

  /** The words that run a command there. */
  words(place: Place, command: string): string[] {
    return ['netns', 'exec', this.namespace(place), ...command.split(' ')];
  }

  /** Ends with it what is in the namespaces' networks; processes must have ended before. */
  close(): void {
    for (const place of this.places.splice(0)) run('ip', ['netns', 'del', this.namespace(place)]);
  }

  private addNamespace(place: Place): void {
    run('ip', ['netns', 'add', this.namespace(place)]);
    this.places.push(place);
    this.in(place, 'sysctl -qw net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.default.accept_ra=0');
    this.in(place, 'ip link set lo up');
  }

  private join(): void {
    const [a, r, b] = (['client', 'router', 'server'] as const).map((place) => this.namespace(place));
    run('ip', ['-n', a, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1', 'netns', r]);
    run('ip', ['-n', b, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth2', 'netns', r]);
  }

  private configure([place, name, net, host]: (typeof DEVICES)[number], offloads: boolean): void {
    this.in(place, `ip link set ${name} address 02:00:00:09:0${net}:0${host}`);
    if (!offloads)
      this.in(place, `ethtool -K ${name} ${OFFLOADS.map((offload) => `${offload} off`).join(' ')}`);
    this.in(place, `ip addr add 10.9.${net}.${host}/24 dev ${name}`);
    this.in(place, `ip addr add fd09:${net}::${host}/64 dev ${name} nodad`);
    this.in(place, `ip link set ${name} up`);
  }

  /** The router may send as many ICMP errors as there is cause for. */
  private route(): void {
    this.in('router', 'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1');
    this.in('router', 'sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0');
    for (const [place, net] of [
      ['client', 1],
      ['server', 2],
    ] as const) {
      this.in(place, `ip route add default via 10.9.${net}.1`);
      this.in(place, `ip -6 route add default via fd09:${net}::1`);
    }
  }

  private in(place: Place, command: string): void {
    run('ip', this.words(place, command));
  }
}
