/**
 * Mixes: many flows of UDP or TCP from one source, made of packets that real programs sent (templates.ts), with
 * addresses, ports, lengths and checksums of their own.
 *
 *     minimum   the shortest frames that Ethernet carries: 60 octets, 64 with FCS
 *     imix      60, 590 and 1514 octets (64, 594, 1518 with FCS), 7:4:1: the "simple IMIX" of router tests, which
 *               Agilent's journal "Mixed Packet Size Throughput" took from traffic at NLANR's monitors; RFC 6985
 *               is about how such mixes are written down
 *
 * Headers that are longer than 60 octets make the shortest frames longer: 62 with UDP over IPv6, 74 with TCP over it.
 *
 * Flow i goes to `dst` + i mod `destinations`. Its source port is from Linux's ephemeral range
 * (net.ipv4.ip_local_port_range) and counts up with i; where i has gone through all of it, the destination port, from
 * iperf3's on, counts up. So no two flows are alike.
 *
 * A million packets of a million flows take less than a second; memory is the frames', 8 octets of index a packet, and 4
 * more while it is made.
 */
import { parseIp } from '../../src/wire/address.js';
import { nonZero } from '../../src/wire/checksum.js';
import { flowOrder, sizeOrder } from './order.js';
import { checkWith, type Layout, layoutOf, makePrototype, type Prototype } from './prototype.js';
import { layOut, type Traffic } from './traffic.js';

export interface MixOptions {
  readonly kind: 'minimum' | 'imix';
  /** 1 to 1,000,000. */
  readonly flows: number;
  readonly packets: number;
  /** The same seed gives the same octets. */
  readonly seed: number;
  readonly family: 4 | 6;
  readonly srcMac: string;
  readonly dstMac: string;
  /** The one source address. */
  readonly src: string;
  /** The first destination address. */
  readonly dst: string;
  /** How many addresses from `dst` on flows are spread over. */
  readonly destinations: number;
  readonly protocol: 'udp' | 'tcp';
}

export const MAX_FLOWS = 1_000_000;
export const EPHEMERAL_PORTS = { first: 32_768, count: 28_232 } as const;
export const SERVICE_PORT = 5201;

/** Octets without FCS, as often as they come. */
const PATTERN = {
  minimum: [60],
  imix: [60, 60, 60, 60, 60, 60, 60, 590, 590, 590, 590, 1514],
} as const;

/** @throws Error where the options do not fit together. */
export function makeMix(options: MixOptions): Traffic {
  const { kind, flows, packets, seed } = options;
  const firstDst = checkOptions(options);
  const layout = layoutOf(options);
  const pattern = PATTERN[kind].map((length) => Math.max(length, layout.headerLength));
  const lengths = sizeOrder(pattern, packets, seed);
  const { offsets, size } = layOut(lengths);
  const traffic = { name: nameOf(options), bytes: new Uint8Array(size), offsets, lengths, count: packets };
  const prototypes = new Map(pattern.map((length) => [length, makePrototype(options, length)]));
  fill(traffic, flowOrder(flows, packets, seed), layout, prototypes, options, firstDst);
  return traffic;
}

function nameOf({ kind, protocol, family, flows }: MixOptions): string {
  return `${kind}-${protocol}-v${family}-${flows}`;
}

/** Answers the last word of the first destination. */
function checkOptions({ flows, packets, destinations, family, src, dst }: MixOptions): number {
  checkNumber('flows', flows, MAX_FLOWS);
  checkNumber('packets', packets, 2 ** 27);
  checkNumber('destinations', destinations, MAX_FLOWS);
  const to = parseIp(dst);
  if (parseIp(src).family !== family || to.family !== family) {
    throw new Error(`${src} and ${dst} must be IPv${family} addresses, as the mix is`);
  }
  const first = to.words[to.words.length - 1];
  if (first + destinations > 2 ** 32)
    throw new Error(`there are no ${destinations} addresses from ${dst} on`);
  return first;
}

function checkNumber(name: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return;
  throw new Error(`${name} is ${value}: give a whole number from 1 to ${most}`);
}

function fill(
  { bytes, offsets, lengths, count }: Traffic,
  order: Uint32Array,
  layout: Layout,
  prototypes: ReadonlyMap<number, Prototype>,
  { destinations, protocol }: MixOptions,
  firstDst: number,
): void {
  const view = new DataView(bytes.buffer);
  const finish = protocol === 'udp' ? nonZero : (check: number) => check;
  const { ipCheckAt, dstAt, portsAt, checkAt } = layout;
  for (let i = 0; i < count; i++) {
    const prototype = prototypes.get(lengths[i])!;
    const at = offsets[i];
    const flow = order[i];
    const dst = firstDst + (flow % destinations);
    const srcPort = EPHEMERAL_PORTS.first + (flow % EPHEMERAL_PORTS.count);
    const dstPort = SERVICE_PORT + Math.floor(flow / EPHEMERAL_PORTS.count);
    const dstSum = (dst >>> 16) + (dst & 0xffff);
    bytes.set(prototype.bytes, at);
    view.setUint32(at + dstAt, dst);
    view.setUint16(at + portsAt, srcPort);
    view.setUint16(at + portsAt + 2, dstPort);
    view.setUint16(at + checkAt, finish(checkWith(prototype.sum, dstSum + srcPort + dstPort)));
    if (ipCheckAt >= 0) view.setUint16(at + ipCheckAt, checkWith(prototype.ipSum, dstSum));
  }
}
