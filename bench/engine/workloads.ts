/** The workloads of `engine.pipeline`: tables and the traffic that goes by them. */
import type { Snapshot } from '../../src/dataplane/snapshot.js';
import { compileTables, type TablesData } from '../../src/dataplane/tables.js';
import { parseMac } from '../../src/wire/address.js';
import { type MixOptions, makeMix } from '../traffic/mix.js';
import type { Traffic } from '../traffic/traffic.js';
import * as cluster from './cluster.js';
import type { Workload } from './node.js';
import * as prefixes from './prefixes.js';
import { inVxlan, readdress, setMacs, sourcesOf } from './rewrite.js';

/** How much there is of everything; tests have less. */
export interface Scale {
  /** Of the mixes from one flow to a million, by name. */
  readonly flows: Readonly<Record<string, number>>;
  readonly usualFlows: number;
  readonly routes: number;
}

export const FULL: Scale = {
  flows: { '1 flow': 1, '1 k flows': 1000, '100 k flows': 100_000, '1 M flows': 1_000_000 },
  usualFlows: 65_536,
  routes: 1_000_000,
};

const PEERS = 1000;
/** With fewer flows the packets of the mix still fill the first-level cache, as they would in operation. */
const FEWEST_PACKETS = 16_384;
const FIRST_NODE_ADDRESS = 0x0a80_0000;
const NODE_ADDRESSES = PEERS * 256;
const SENDER = cluster.FIRST_POD;
/** Local pods that packets are for, from the second on. */
const LOCAL_PODS = 64;
const FIRST_LOCAL = SENDER + 1;
const FIRST_LOCAL_ADDRESS = 0x0a00_0000 + FIRST_LOCAL + 1;
const SEED = 4;

let generation = 0;

/** Flows that go to the pods of other nodes, of which each has a /24. */
export function toPeers(name: string, tables: TablesData, flows: number, kind: MixOptions['kind']): Workload {
  return { name, tables, port: SENDER, traffic: mix(flows, { kind }) };
}

/** A node of a thousand, each with a /24. */
export function nodeTables(): TablesData {
  return compileTables(nodeSnapshot());
}

/** The same before it is compiled. */
export function nodeSnapshot(): Snapshot {
  return cluster.clusterOf(++generation, prefixes.dealOut(prefixes.nodePrefixes(PEERS), PEERS));
}

/** The same traffic by a table of many routes and by one of ten. */
export function byManyAndFew(scale: Scale): { many: Workload; few: Workload } {
  const table = prefixes.mixedPrefixes(scale.routes, SEED);
  const addresses = prefixes.addressesWithin(table, Math.min(scale.usualFlows, NODE_ADDRESSES), SEED);
  const traffic = mix(scale.usualFlows, {});
  readdress(traffic, undefined, (address) => addresses[address - FIRST_NODE_ADDRESS]);
  const workload = (name: string, tables: TablesData) => ({ name, tables, port: SENDER, traffic });
  return {
    many: workload('1 M routes', compile(prefixes.dealOut(table, PEERS))),
    few: workload('10 routes', compile(prefixes.dealOut(prefixes.eighths(), 8))),
  };
}

/** From pod to pods of the same subnet. */
export function toNeighbours(name: string, tables: TablesData, flows: number): Workload {
  return { name, tables, port: SENDER, traffic: bridged(flows, {}) };
}

/** Frames from the first pod to others of its subnet. */
export function bridged(flows: number, more: Partial<MixOptions>): Traffic {
  const traffic = mix(flows, { ...localDestinations(), ...more });
  return setMacs(traffic, (address) => parseMac(cluster.podMac(FIRST_LOCAL + address - FIRST_LOCAL_ADDRESS)));
}

/** From pods of all other nodes to local ones, as single datagrams. */
export function fromPeers(
  name: string,
  tables: TablesData,
  flows: number,
  more: Partial<MixOptions> = {},
): Workload {
  const frames = mix(flows, { ...localDestinations(), dstMac: cluster.VTEP_MAC, ...more });
  let packet = 0;
  readdress(frames, () => FIRST_NODE_ADDRESS + (packet++ % PEERS) * 256 + 2, undefined);
  const senders = Int32Array.from(sourcesOf(frames), (source) => cluster.peerAddress(peerOf(source)));
  return { name, tables, port: cluster.TUNNEL, traffic: inVxlan(frames, cluster.VNI), senders };
}

/** The peer whose /24 of `nodeTables` the address is of. */
export function peerOf(address: number): number {
  return (address - FIRST_NODE_ADDRESS) >>> 8;
}

/** Of `mix`: to pods of the same subnet. */
export function localDestinations(): Partial<MixOptions> {
  return { dst: cluster.podAddress(FIRST_LOCAL), destinations: LOCAL_PODS };
}

/** Frames from the first pod, to its gateway where nothing else is asked for. */
export function mix(flows: number, more: Partial<MixOptions>): Traffic {
  return makeMix({
    kind: 'minimum',
    flows,
    packets: Math.max(flows, FEWEST_PACKETS),
    seed: SEED,
    family: 4,
    srcMac: cluster.podMac(SENDER),
    dstMac: cluster.GATEWAY_MAC,
    src: cluster.podAddress(SENDER),
    dst: '10.128.0.0',
    destinations: Math.min(flows, NODE_ADDRESSES),
    protocol: 'udp',
    ...more,
  });
}

function compile(prefixesOfPeers: readonly (readonly string[])[]): TablesData {
  const snapshot: Snapshot = cluster.clusterOf(++generation, prefixesOfPeers);
  return compileTables(snapshot);
}
