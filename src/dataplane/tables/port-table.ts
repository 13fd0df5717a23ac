/**
 * What forwarding knows of each port, by port number. Immutable; plain typed arrays, so that it is posted to
 * the worker as it is. Bounded by MAX_PORTS; a port without an entry is closed.
 *
 * Guard lists: a port's own IPv4 and IPv6 addresses and the prefixes behind it, as (address, mask) pairs. The
 * first pair is the port's main address, so the common case is one comparison.
 */
import { formatCidr, linkLocalOf, parseCidr, parseMac } from '../../wire/address.js';
import type { PortSpec } from '../snapshot.js';

/** In `domain` and `peer`: none. */
export const NONE = -1;

/** Whom a port's packets may come from. */
export const GUARD = {
  ANYBODY: 0,
  /** The port's own addresses. */
  OWN: 1,
  /** Anybody but the domain's other ports: it is the domain's uplink. */
  UPLINK: 2,
} as const;

export interface PortTableData {
  readonly open: Uint8Array;
  readonly macHi: Uint16Array;
  readonly macLo: Uint32Array;
  /** Bridge domain, or NONE for a direct pair. */
  readonly domain: Int32Array;
  /** Other end of a direct pair, or NONE. */
  readonly peer: Int32Array;
  readonly routeTable: Uint16Array;
  /** For answers to who is behind the port. */
  readonly returnTable: Uint16Array;
  readonly mtu: Uint32Array;
  /** One of GUARD. */
  readonly guard: Uint8Array;
  /** 1: policies hold for it. */
  readonly policed: Uint8Array;
  /** 1: what the port sends, or is sent, is limited or impaired (shaping-table.ts). */
  readonly shapedFrom: Uint8Array;
  readonly shapedTo: Uint8Array;
  /** `mtu`, or 0 where shapedTo is set: so Express, which compares lengths anyway, sends nothing there. */
  readonly expressMtu: Uint32Array;
  /** Where the port's guard pairs begin, and how many: in units of pairs. */
  readonly v4Start: Uint32Array;
  readonly v4Count: Uint16Array;
  readonly v6Start: Uint32Array;
  readonly v6Count: Uint16Array;
  /** Pairs: address, mask. */
  readonly v4: Uint32Array;
  /** Pairs: four words of address, four of mask. */
  readonly v6: Uint32Array;
}

/** The IPv6 mask words of a prefix length. */
function maskWords(length: number): number[] {
  return [0, 32, 64, 96].map((from) => mask4(Math.min(32, Math.max(0, length - from))));
}

function mask4(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0;
}

/** Prefixes that a port may send from: its addresses, its link-local address, what it is allowed besides. */
function ownPrefixes(port: PortSpec): string[] {
  const own = port.addresses.map((address) => `${address}/${address.includes(':') ? 128 : 32}`);
  const linkLocal = formatCidr({ family: 6, words: linkLocalOf(parseMac(port.mac)), prefix: 128 });
  return [...own, linkLocal, ...(port.allowed ?? [])];
}

function isShaped({ rates, impairments = [] }: PortSpec, way: 'from-port' | 'to-port'): boolean {
  const rate = way === 'from-port' ? rates?.fromPort : rates?.toPort;
  return rate !== undefined || impairments.some(({ direction }) => direction === way);
}

/** @param uplinks ports that are the uplink of their domain. */
export function buildPortTable(
  ports: readonly PortSpec[],
  uplinks: ReadonlySet<number> = new Set(),
): PortTableData {
  const size = ports.reduce((most, port) => Math.max(most, port.id + 1), 0);
  const v4: number[] = [];
  const v6: number[] = [];
  const table = {
    open: new Uint8Array(size),
    macHi: new Uint16Array(size),
    macLo: new Uint32Array(size),
    domain: new Int32Array(size).fill(NONE),
    peer: new Int32Array(size).fill(NONE),
    routeTable: new Uint16Array(size),
    returnTable: new Uint16Array(size),
    mtu: new Uint32Array(size),
    guard: new Uint8Array(size),
    policed: new Uint8Array(size),
    shapedFrom: new Uint8Array(size),
    shapedTo: new Uint8Array(size),
    expressMtu: new Uint32Array(size),
    v4Start: new Uint32Array(size),
    v4Count: new Uint16Array(size),
    v6Start: new Uint32Array(size),
    v6Count: new Uint16Array(size),
  };
  for (const port of ports) {
    const { id } = port;
    const mac = parseMac(port.mac);
    table.open[id] = 1;
    table.macHi[id] = mac.hi;
    table.macLo[id] = mac.lo;
    if (port.attachment.kind === 'direct') table.peer[id] = port.attachment.peer;
    else table.domain[id] = port.attachment.domain;
    table.routeTable[id] = port.routeTable;
    table.returnTable[id] = port.returnTable ?? port.routeTable;
    table.mtu[id] = port.mtu;
    table.guard[id] = uplinks.has(id) ? GUARD.UPLINK : port.guard ? GUARD.OWN : GUARD.ANYBODY;
    table.policed[id] = port.policed === true ? 1 : 0;
    table.shapedFrom[id] = isShaped(port, 'from-port') ? 1 : 0;
    table.shapedTo[id] = isShaped(port, 'to-port') ? 1 : 0;
    table.expressMtu[id] = isShaped(port, 'to-port') ? 0 : port.mtu;
    table.v4Start[id] = v4.length / 2;
    table.v6Start[id] = v6.length / 8;
    for (const text of ownPrefixes(port)) {
      const cidr = parseCidr(text);
      if (cidr.family === 4) v4.push(cidr.words[0], mask4(cidr.prefix));
      else v6.push(...cidr.words, ...maskWords(cidr.prefix));
    }
    table.v4Count[id] = v4.length / 2 - table.v4Start[id];
    table.v6Count[id] = v6.length / 8 - table.v6Start[id];
  }
  return { ...table, v4: Uint32Array.from(v4), v6: Uint32Array.from(v6) };
}

/** Whether `port` may send from this IPv4 address. */
export function ownsIpv4(ports: PortTableData, port: number, address: number): boolean {
  const start = ports.v4Start[port];
  const end = start + ports.v4Count[port];
  for (let pair = start; pair < end; pair++) {
    if (((address ^ ports.v4[pair * 2]) & ports.v4[pair * 2 + 1]) === 0) return true;
  }
  return false;
}

/** Whether `port` may send from the IPv6 address at `at`. */
export function ownsIpv6(ports: PortTableData, port: number, view: DataView, at: number): boolean {
  const w0 = view.getUint32(at);
  const w1 = view.getUint32(at + 4);
  const w2 = view.getUint32(at + 8);
  const w3 = view.getUint32(at + 12);
  const { v6 } = ports;
  const start = ports.v6Start[port];
  const end = start + ports.v6Count[port];
  for (let pair = start; pair < end; pair++) {
    const i = pair * 8;
    const differs =
      ((w0 ^ v6[i]) & v6[i + 4]) |
      ((w1 ^ v6[i + 1]) & v6[i + 5]) |
      ((w2 ^ v6[i + 2]) & v6[i + 6]) |
      ((w3 ^ v6[i + 3]) & v6[i + 7]);
    if (differs === 0) return true;
  }
  return false;
}
