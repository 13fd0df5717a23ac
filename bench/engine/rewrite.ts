/**
 * Changes of traffic that its maker has no option for: other addresses, MACs by destination, VXLAN around each frame,
 * several as one.
 */
import { parseMac } from '../../src/wire/address.js';
import { nonZero, update32 } from '../../src/wire/checksum.js';
import * as ethernet from '../../src/wire/ethernet.js';
import * as ipv4 from '../../src/wire/ipv4.js';
import * as udp from '../../src/wire/udp.js';
import * as vxlan from '../../src/wire/vxlan.js';
import { frameOf, layOut, type Traffic } from '../traffic/traffic.js';

const NETWORK = ethernet.HEADER_LENGTH;
const TRANSPORT = NETWORK + ipv4.HEADER_LENGTH;

/** What one field of a frame is to be, given what it is. */
export type Change = (address: number) => number;

/** Changes source and destination addresses of UDP over IPv4 in place, and mends the checksums. */
export function readdress(
  traffic: Traffic,
  source: Change | undefined,
  destination: Change | undefined,
): Traffic {
  const view = viewOf(traffic);
  for (let i = 0; i < traffic.count; i++) {
    const at = traffic.offsets[i];
    // The source goes by the destination that the flow had.
    const flow = view.getUint32(at + NETWORK + ipv4.DST);
    if (source !== undefined) change(view, at, ipv4.SRC, source(flow));
    if (destination !== undefined) change(view, at, ipv4.DST, destination(flow));
  }
  return traffic;
}

function change(view: DataView, at: number, field: number, next: number): void {
  const old = view.getUint32(at + NETWORK + field);
  view.setUint32(at + NETWORK + field, next);
  const l3 = at + NETWORK;
  ipv4.setChecksum(view, l3, update32(ipv4.checksum(view, l3), old, next));
  const check = at + TRANSPORT + udp.CHECKSUM_OFFSET;
  view.setUint16(check, nonZero(update32(view.getUint16(check), old, next)));
}

/** Turns frames into answers to them, in place: addresses and ports change places, and they are for `mac`. */
export function exchangeEnds(traffic: Traffic, mac: string): Traffic {
  const view = viewOf(traffic);
  const { hi, lo } = parseMac(mac);
  for (const at of traffic.offsets) {
    const source = view.getUint32(at + NETWORK + ipv4.SRC);
    const ports = view.getUint32(at + TRANSPORT);
    ethernet.setDst(view, at, hi, lo);
    view.setUint32(at + NETWORK + ipv4.SRC, view.getUint32(at + NETWORK + ipv4.DST));
    view.setUint32(at + NETWORK + ipv4.DST, source);
    view.setUint32(at + TRANSPORT, (ports << 16) | (ports >>> 16));
  }
  return traffic;
}

/** Gives each frame the MAC address that belongs to its destination address, in place. */
export function setMacs(traffic: Traffic, macOf: (address: number) => { hi: number; lo: number }): Traffic {
  const view = viewOf(traffic);
  for (let i = 0; i < traffic.count; i++) {
    const at = traffic.offsets[i];
    const { hi, lo } = macOf(ipv4.dst(view, at + NETWORK));
    ethernet.setDst(view, at, hi, lo);
  }
  return traffic;
}

/** The same frames as UDP payloads of VXLAN (RFC 7348 section 5). */
export function inVxlan(traffic: Traffic, vni: number): Traffic {
  const { name, count } = traffic;
  const lengths = traffic.lengths.map((length) => length + vxlan.HEADER_LENGTH);
  const { offsets, size } = layOut(lengths);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < count; i++) {
    const from = traffic.offsets[i];
    vxlan.writeHeader(view, offsets[i], vni);
    bytes.set(traffic.bytes.subarray(from, from + traffic.lengths[i]), offsets[i] + vxlan.HEADER_LENGTH);
  }
  return { name: `${name}-vxlan`, bytes, offsets, lengths, count };
}

/** The frames of all of them, one after the other. */
export function joined(all: readonly { readonly traffic: Traffic }[]): Traffic {
  const frames = all.flatMap(({ traffic }) =>
    Array.from({ length: traffic.count }, (_, index) => frameOf(traffic, index)),
  );
  const lengths = Uint32Array.from(frames, (frame) => frame.length);
  const { offsets, size } = layOut(lengths);
  const bytes = new Uint8Array(size);
  for (const [index, frame] of frames.entries()) bytes.set(frame, offsets[index]);
  return { name: 'joined', bytes, offsets, lengths, count: frames.length };
}

/** The source address of each frame. */
export function sourcesOf(traffic: Traffic): Uint32Array {
  const view = viewOf(traffic);
  return Uint32Array.from(traffic.offsets, (at) => ipv4.src(view, at + NETWORK));
}

function viewOf({ bytes }: Traffic): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
