/**
 * What forwarding knows of each peer (another node), by number, and which peer an underlay address belongs to.
 * Immutable; plain typed arrays. Bounded by MAX_PEERS; a number without an entry is nobody.
 *
 * Several peers may share an underlay address when their UDP ports differ; a packet is then its sender's by its
 * address alone only where one peer has it, so sharing is refused.
 */
import { type Ip, parseIp, parseMac } from '../../wire/address.js';
import { MAX_PEERS } from '../constants.js';
import type { PeerSpec } from '../snapshot.js';
import { buildStaticIndex, StaticIndex, type StaticIndexData } from './static-index.js';
import { requireInteger } from './table-error.js';

/** The high words of an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2). */
const MAPPED = 0xffff;

/** No such peer. */
export const NO_PEER = -1;

export interface PeerTableData {
  readonly known: Uint8Array;
  /** Underlay address, four words each, IPv4 in IPv4-mapped form. */
  readonly address: Int32Array;
  readonly port: Uint16Array;
  readonly macHi: Uint16Array;
  readonly macLo: Uint32Array;
  readonly mtu: Uint32Array;
  /** Family of the probed address: 4, 6, or 0 where the peer is not probed. */
  readonly probeFamily: Uint8Array;
  /** Four words each; IPv4 in the first. */
  readonly probe: Uint32Array;
  /** From underlay address to a record of `peers`. */
  readonly index: StaticIndexData;
  readonly peers: Uint16Array;
}

/** Four words, IPv4 in IPv4-mapped form. */
export function mappedWords({ family, words }: Ip): [number, number, number, number] {
  return family === 4
    ? [0, 0, MAPPED, words[0] | 0]
    : [words[0] | 0, words[1] | 0, words[2] | 0, words[3] | 0];
}

/** @throws TableError TABLE_DUPLICATE for an underlay address given twice, TABLE_INVALID */
export function buildPeerTable(peers: readonly PeerSpec[]): PeerTableData {
  const size = peers.reduce((most, peer) => Math.max(most, peer.id + 1), 0);
  const table = {
    known: new Uint8Array(size),
    address: new Int32Array(size * 4),
    port: new Uint16Array(size),
    macHi: new Uint16Array(size),
    macLo: new Uint32Array(size),
    mtu: new Uint32Array(size),
    probeFamily: new Uint8Array(size),
    probe: new Uint32Array(size * 4),
  };
  const keys = new Int32Array(peers.length * 5);
  for (const [position, peer] of peers.entries()) {
    const { id } = peer;
    requireInteger('peer', id, 0, MAX_PEERS - 1);
    const address = mappedWords(parseIp(peer.address));
    const mac = parseMac(peer.mac);
    table.known[id] = 1;
    table.address.set(address, id * 4);
    table.port[id] = peer.port;
    table.macHi[id] = mac.hi;
    table.macLo[id] = mac.lo;
    table.mtu[id] = peer.mtu;
    keys.set([0, ...address], position * 5);
    if (peer.probe === undefined) continue;
    const probe = parseIp(peer.probe);
    table.probeFamily[id] = probe.family;
    table.probe.set(probe.words, id * 4);
  }
  const describe = (at: number): string => `underlay address ${peers[at].address} of node ${peers[at].name}`;
  const { data, order } = buildStaticIndex(keys, 5, 0, describe);
  return { ...table, index: data, peers: Uint16Array.from(order, (at) => peers[at].id) };
}

/** Finds the peer that a datagram came from. */
export class PeerIndex {
  private readonly index: StaticIndex;

  constructor(private readonly data: PeerTableData) {
    this.index = new StaticIndex(data.index);
  }

  /** The peer with this underlay address (signed words, IPv4-mapped), or NO_PEER. */
  find(w0: number, w1: number, w2: number, w3: number): number {
    const record = this.index.find5(0, w0, w1, w2, w3);
    return record < 0 ? NO_PEER : this.data.peers[record];
  }
}
