/**
 * One frame for each length of a mix, complete but for what tells flows apart: the last word of the destination
 * address and the two ports. Their part of the checksums is left out, too, so that a packet of a flow is a copy of its
 * prototype, three fields and one addition for each checksum: checksums are sums, whatever the order (RFC 1071).
 */
import { parseIp, parseMac } from '../../src/wire/address.js';
import { complement, fold, pseudoIpv4, pseudoIpv6 } from '../../src/wire/checksum.js';
import { plainChecksum } from '../../src/wire/checksum-kernel.js';
import * as ethernet from '../../src/wire/ethernet.js';
import * as ipv4 from '../../src/wire/ipv4.js';
import * as ipv6 from '../../src/wire/ipv6.js';
import * as tcp from '../../src/wire/tcp.js';
import * as udp from '../../src/wire/udp.js';
import { TEMPLATES } from './templates.js';

export interface Addressing {
  readonly family: 4 | 6;
  readonly protocol: 'udp' | 'tcp';
  readonly srcMac: string;
  readonly dstMac: string;
  readonly src: string;
  readonly dst: string;
}

/** Where things are in a frame of the mix; the same for each of its lengths. */
export interface Layout {
  readonly headerLength: number;
  /** Of the IPv4 header; -1 in IPv6, which has none. */
  readonly ipCheckAt: number;
  /** The last 32 bits of the destination address. */
  readonly dstAt: number;
  readonly portsAt: number;
  readonly checkAt: number;
}

export interface Prototype {
  readonly bytes: Uint8Array;
  /** Folded sums of all that the checksums cover, without what tells flows apart. */
  readonly ipSum: number;
  readonly sum: number;
}

const NETWORK = ethernet.HEADER_LENGTH;
const memory = new WebAssembly.Memory({ initial: 1 });
const checksum = plainChecksum(memory);

export function layoutOf({ family, protocol }: Addressing): Layout {
  const transport = NETWORK + (family === 4 ? ipv4.HEADER_LENGTH : ipv6.HEADER_LENGTH);
  return {
    headerLength: transport + (protocol === 'udp' ? udp.HEADER_LENGTH : tcp.HEADER_LENGTH),
    ipCheckAt: family === 4 ? NETWORK + 10 : -1,
    dstAt: family === 4 ? NETWORK + ipv4.DST : NETWORK + ipv6.DST + 12,
    portsAt: transport,
    checkAt: transport + (protocol === 'udp' ? udp.CHECKSUM_OFFSET : tcp.CHECKSUM_OFFSET),
  };
}

/** The template's header with these addresses, and octets behind it that count up to `length`. */
export function makePrototype(addressing: Addressing, length: number): Prototype {
  const { family, protocol } = addressing;
  const layout = layoutOf(addressing);
  const bytes = new Uint8Array(memory.buffer, 0, length);
  const view = new DataView(memory.buffer, 0, length);
  bytes.set(Buffer.from(TEMPLATES[protocol][family].header, 'hex'));
  for (let i = layout.headerLength; i < length; i++) bytes[i] = i - layout.headerLength;
  address(view, addressing);
  setLengths(view, addressing, layout, length);
  view.setUint32(layout.dstAt, 0);
  view.setUint32(layout.portsAt, 0);
  view.setUint16(layout.checkAt, 0);
  const ipSum = family === 4 ? sumOfIpv4Header(view) : 0;
  return { bytes: bytes.slice(), ipSum, sum: sumOfTransport(view, addressing, layout, length) };
}

function address(view: DataView, { srcMac, dstMac, src, dst }: Addressing): void {
  const [from, to] = [parseMac(srcMac), parseMac(dstMac)];
  ethernet.setSrc(view, 0, from.hi, from.lo);
  ethernet.setDst(view, 0, to.hi, to.lo);
  writeAddress(view, NETWORK, [ipv4.SRC, ipv6.SRC], src);
  writeAddress(view, NETWORK, [ipv4.DST, ipv6.DST], dst);
}

function writeAddress(view: DataView, at: number, [v4, v6]: readonly [number, number], text: string): void {
  const { family, words } = parseIp(text);
  const start = at + (family === 4 ? v4 : v6);
  words.forEach((word, index) => {
    view.setUint32(start + 4 * index, word);
  });
}

function setLengths(
  view: DataView,
  { family, protocol }: Addressing,
  { portsAt }: Layout,
  length: number,
): void {
  if (family === 4) ipv4.setTotalLength(view, NETWORK, length - NETWORK);
  else ipv6.setPayloadLength(view, NETWORK, length - portsAt);
  if (protocol === 'udp') udp.setLength(view, portsAt, length - portsAt);
}

function sumOfIpv4Header(view: DataView): number {
  ipv4.setChecksum(view, NETWORK, 0);
  return checksum.sum(NETWORK, ipv4.HEADER_LENGTH, 0);
}

function sumOfTransport(
  view: DataView,
  { family, protocol }: Addressing,
  { portsAt }: Layout,
  length: number,
): number {
  const number = protocol === 'udp' ? ipv4.PROTOCOL.UDP : ipv4.PROTOCOL.TCP;
  const pseudo = family === 4 ? pseudoIpv4 : pseudoIpv6;
  return checksum.sum(portsAt, length - portsAt, pseudo(view, NETWORK, number, length - portsAt));
}

/** The checksum, once `words` (below 2^20 all together) are added to a folded sum. */
export function checkWith(sum: number, words: number): number {
  return complement(fold(sum + words));
}
