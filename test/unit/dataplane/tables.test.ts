import { describe, expect, it } from 'vitest';
import type { NeighbourSpec, Snapshot } from '../../../src/dataplane/snapshot.js';
import { compileTables, SWITCH_PORT, Tables } from '../../../src/dataplane/tables.js';
import { parseIp, parseMac } from '../../../src/wire/address.js';
import { gatewayMacOf, macOf, networks } from '../../support/snapshots.js';

const SNAPSHOT = networks({ ports: [2, 1] });

function compiled(changes: Partial<Snapshot> = {}): Tables {
  return Tables.from(compileTables({ ...SNAPSHOT, ...changes }));
}

/** MAC halves and port of whoever has the address, or undefined. */
function neighbour(tables: Tables, domain: number, address: string): [number, number, number] | undefined {
  const { family, words } = parseIp(address);
  const { neighbours } = tables;
  const index =
    family === 4
      ? neighbours.lookup4(domain, words[0])
      : neighbours.lookup6(domain, words[0], words[1], words[2], words[3]);
  return index < 0 ? undefined : [neighbours.macHi(index), neighbours.macLo(index), neighbours.port(index)];
}

function at(mac: string, port: number): [number, number, number] {
  const { hi, lo } = parseMac(mac);
  return [hi, lo, port];
}

describe('compileTables', () => {
  it('carries the generation', () => {
    expect(compiled({ generation: 77 }).generation).toBe(77);
  });

  it('knows the ports’ MAC addresses, each in its domain', () => {
    const { fdb } = compiled();
    const { hi, lo } = parseMac(macOf(1));
    expect([fdb.lookup(0, hi, lo), fdb.lookup(1, hi, lo)]).toEqual([1, -1]);
  });

  it('lists no direct port in any domain', () => {
    const ports = SNAPSHOT.ports.map((port) => ({
      ...port,
      attachment: { kind: 'direct' as const, peer: 0 },
    }));
    const tables = compiled({ ports, neighbours: [] });
    const { hi, lo } = parseMac(macOf(1));
    expect(tables.fdb.lookup(0, hi, lo)).toBe(-1);
    expect(Array.from(tables.domains.memberCount)).toEqual([0, 0]);
    expect(neighbour(tables, 0, 'fe80::70:ff:fe00:11')).toBeUndefined();
  });

  it('knows neighbours as listed', () => {
    expect(neighbour(compiled(), 0, '10.0.0.11')).toEqual(at(macOf(1), 1));
    expect(neighbour(compiled(), 0, 'fd00::11')).toEqual(at(macOf(1), 1));
    expect(neighbour(compiled(), 1, '10.0.0.11')).toBeUndefined();
  });

  it('knows the link-local addresses that follow from MAC addresses (RFC 4291 appendix A)', () => {
    expect(neighbour(compiled(), 0, 'fe80::70:ff:fe00:11')).toEqual(at(macOf(1), 1));
    expect(neighbour(compiled(), 1, 'fe80::70:ff:fe00:11')).toBeUndefined();
  });

  it('knows the switch under its addresses and its link-local one', () => {
    const mac = gatewayMacOf(1);
    for (const address of ['10.0.1.1', 'fd00:0:0:1::1', 'fe80::70:ff:fe00:ff01']) {
      expect(neighbour(compiled(), 1, address)).toEqual(at(mac, SWITCH_PORT));
    }
  });

  it('knows no switch where it has no address', () => {
    const domains = SNAPSHOT.domains.map((domain) => ({ ...domain, gateways: [] }));
    const tables = compiled({ domains });
    expect(neighbour(tables, 0, 'fe80::70:ff:fe00:ff00')).toBeUndefined();
    expect(Array.from(tables.domains.routed)).toEqual([0, 0]);
  });

  it('finds the longest prefix, in its table only', () => {
    const { fib4, fib6, nextHops } = compiled({
      routes: [
        { table: 3, prefix: '0.0.0.0/0', kind: 'port', port: 1 },
        { table: 3, prefix: '192.168.0.0/16', kind: 'unreachable' },
        { table: 3, prefix: '::/0', kind: 'port', port: 2 },
      ],
    });
    const target = (hop: number) => (hop < 0 ? undefined : nextHops.target[hop]);
    expect(target(fib4.lookup(3, 0x0808_0808))).toBe(1);
    expect(fib4.lookup(3, 0xc0a8_0101)).not.toBe(fib4.lookup(3, 0x0808_0808));
    expect(fib4.lookup(2, 0x0808_0808)).toBe(-1);
    expect(target(fib6.lookup(3, 0x2001_0db8, 0, 0, 1))).toBe(2);
  });

  it.each<[string, Partial<Snapshot>, RegExp]>([
    ['an address that is none', { neighbours: [entry({ address: '10.0.0.256' })] }, /10\.0\.0\.256/],
    ['a MAC address that is none', { neighbours: [entry({ mac: '02:70:00' })] }, /02:70:00/],
    [
      'a prefix with host bits',
      { routes: [{ table: 0, prefix: '10.0.0.1/24', kind: 'local' }] },
      /10\.0\.0\.1|host/,
    ],
    ['an address that two have', { neighbours: [entry({}), entry({ port: 1 })] }, /10\.0\.0\.99/],
    [
      'a MAC address that two ports have',
      { ports: [...SNAPSHOT.ports, { ...SNAPSHOT.ports[1], id: 7 }] },
      /02:70:00:00:00:11/,
    ],
    ['a route twice', { routes: [...SNAPSHOT.routes, SNAPSHOT.routes[0]] }, /10\.0\.0\.0\/24/],
  ])('refuses %s and names it', (_, changes, message) => {
    expect(() => compileTables({ ...SNAPSHOT, ...changes })).toThrow(message);
  });
});

function entry(changes: Partial<NeighbourSpec>): NeighbourSpec {
  return { domain: 0, address: '10.0.0.99', mac: '02:aa:00:00:00:01', port: 0, ...changes };
}

describe('Tables', () => {
  it('is the same on the other side of a thread', () => {
    const tables = Tables.from(structuredClone(compileTables(SNAPSHOT)));
    expect(neighbour(tables, 0, 'fd00::11')).toEqual(at(macOf(1), 1));
  });

  it('opens no port while it is empty', () => {
    const tables = Tables.empty();
    expect([tables.generation, tables.ports.open.length, tables.domains.routed.length]).toEqual([0, 0, 0]);
    expect(neighbour(tables, 0, '10.0.0.11')).toBeUndefined();
    expect(tables.fib4.lookup(0, 0x0a00_000b)).toBe(-1);
  });
});
