/**
 * The switch that is fuzzed: the networks of fixtures/, so that the packets there reach every part of it, with
 * ports of every kind.
 *
 *     domain 1   ports 1 2 3   guarded; all offloads, all, none
 *     domain 2   ports 4 5     4 guarded, MTU 1280; 5 unguarded, all offloads, default route: learning
 *     domain 3   ports 8 9     no address of the switch; 8 guarded, 9 unguarded; learning
 *     pair       ports 6 7     6 guarded, 7 not
 */
import type { DomainSpec, PortSpec, Snapshot } from '../../src/dataplane/snapshot.js';
import { ALL_OFFLOADS } from './engine-harness.js';

export const FUZZ_PORTS = [1, 2, 3, 4, 5, 6, 7, 8, 9] as const;

/** Offloads by port. */
export const FUZZ_OFFLOADS: Readonly<Record<number, number>> = {
  1: ALL_OFFLOADS,
  2: ALL_OFFLOADS,
  5: ALL_OFFLOADS,
  7: ALL_OFFLOADS,
  8: ALL_OFFLOADS,
};

function port(id: number, domain: number, more: Partial<PortSpec> = {}): PortSpec {
  return {
    id,
    name: `pod${id}`,
    mac: `02:00:00:00:00:0${id}`,
    addresses: [`10.${domain}.0.${10 + id}`, `fd00:${domain}::${10 + id}`],
    attachment: { kind: 'domain', domain },
    routeTable: 0,
    mtu: 1500,
    guard: true,
    ...more,
  };
}

function domain(id: number, isRouted: boolean, learning: boolean): DomainSpec {
  return {
    id,
    name: `net${id}`,
    gatewayMac: `02:00:00:00:ff:0${id}`,
    gateways: isRouted ? [`10.${id}.0.1`, `fd00:${id}::1`] : [],
    learning,
  };
}

const MEMBERS: readonly PortSpec[] = [
  port(1, 1),
  port(2, 1),
  port(3, 1),
  port(4, 2, { mtu: 1280 }),
  port(5, 2, { guard: false }),
  port(8, 3, { mtu: 9000 }),
  port(9, 3, { guard: false, mtu: 1400 }),
];

const PAIR: readonly PortSpec[] = [
  port(6, 4, { attachment: { kind: 'direct', peer: 7 } }),
  port(7, 4, { attachment: { kind: 'direct', peer: 6 }, guard: false, mtu: 1400 }),
];

/** `isLarge` false: the same without domain 3, and with port 3 in domain 2: what a changed intent leads to. */
export function fuzzSnapshot(isLarge: boolean): Snapshot {
  const ports = [...MEMBERS, ...PAIR]
    .filter(({ id }) => isLarge || id < 8)
    .map((spec) => {
      const isMoved = !isLarge && spec.id === 3;
      return isMoved ? { ...port(3, 2), addresses: ['10.2.0.33', 'fd00:2::33'] } : spec;
    });
  return {
    generation: isLarge ? 1 : 2,
    ports,
    domains: [domain(1, true, false), domain(2, true, true), ...(isLarge ? [domain(3, false, true)] : [])],
    routes: [
      ...[1, 2].flatMap((id) => [
        { table: 0, prefix: `10.${id}.0.0/24`, kind: 'connected' as const, domain: id },
        { table: 0, prefix: `fd00:${id}::/64`, kind: 'connected' as const, domain: id },
        { table: 0, prefix: `10.${id}.0.1/32`, kind: 'local' as const },
        { table: 0, prefix: `fd00:${id}::1/128`, kind: 'local' as const },
      ]),
      { table: 0, prefix: '192.0.2.0/24', kind: 'via', domain: 2, gateway: '10.2.0.14' },
      { table: 0, prefix: '198.51.100.0/24', kind: 'unreachable' },
      { table: 0, prefix: '2001:db8::/32', kind: 'port', port: 5 },
      { table: 0, prefix: '0.0.0.0/0', kind: 'port', port: 5 },
    ],
    neighbours: ports.flatMap(({ id, mac, addresses, attachment }) =>
      attachment.kind === 'domain'
        ? addresses.map((address) => ({ domain: attachment.domain, address, mac, port: id }))
        : [],
    ),
  };
}
