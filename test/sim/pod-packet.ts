/**
 * What pods of a simulated cluster send each other: UDP over IPv4 or IPv6, with a payload that names the pod that it
 * is for and the pod that it is from, so that whoever gets it can tell whether it should have.
 */
import { formatIp, parseIp, parseMac } from '../../src/wire/address.js';

export interface Letter {
  readonly from: string;
  readonly to: string;
  readonly number: number;
}

export interface Addressed {
  readonly source: string;
  readonly destination: string;
  readonly sourceMac: string;
  readonly destinationMac: string;
}

const PORT = 7777;

export function writeLetter(
  { source, destination, sourceMac, destinationMac }: Addressed,
  letter: Letter,
): Uint8Array {
  const payload = new TextEncoder().encode(JSON.stringify(letter));
  const isIpv4 = !source.includes(':');
  const l3 = 14;
  const l4 = l3 + (isIpv4 ? 20 : 40);
  const bytes = new Uint8Array(l4 + 8 + payload.length);
  const view = new DataView(bytes.buffer);
  for (const [at, mac] of [
    [0, destinationMac],
    [6, sourceMac],
  ] as const) {
    const { hi, lo } = parseMac(mac);
    view.setUint16(at, hi);
    view.setUint32(at + 2, lo);
  }
  view.setUint16(12, isIpv4 ? 0x0800 : 0x86dd);
  const length = 8 + payload.length;
  if (isIpv4) {
    view.setUint32(l3, 0x4500_0000 | (20 + length));
    view.setUint32(l3 + 8, 0x4011_0000);
  } else {
    view.setUint32(l3, 0x6000_0000);
    view.setUint32(l3 + 4, (length << 16) | 0x1140);
  }
  const addresses = l3 + (isIpv4 ? 12 : 8);
  let at = addresses;
  for (const address of [source, destination])
    for (const word of parseIp(address).words) {
      view.setUint32(at, word);
      at += 4;
    }
  if (isIpv4) view.setUint16(l3 + 10, ~onesSum(view, l3, l4, 0) & 0xffff);
  view.setUint16(l4, PORT);
  view.setUint16(l4 + 2, PORT);
  view.setUint16(l4 + 4, length);
  bytes.set(payload, l4 + 8);
  const pseudo = onesSum(view, addresses, l4, 17 + length);
  view.setUint16(l4 + 6, ~onesSum(view, l4, bytes.length, pseudo) & 0xffff || 0xffff);
  return bytes;
}

/** The letter in a frame and its IP source; undefined where it is no letter (an ICMP error, perhaps). */
export function readLetter(
  bytes: Uint8Array,
): { letter: Letter; source: string; destination: string } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isIpv4 = view.getUint16(12) === 0x0800;
  const protocol = bytes[isIpv4 ? 23 : 20];
  if (protocol !== 17) return undefined;
  const addresses = isIpv4 ? 26 : 22;
  const size = isIpv4 ? 4 : 16;
  const l4 = isIpv4 ? 34 : 54;
  const end = l4 + view.getUint16(l4 + 4);
  const letter = JSON.parse(new TextDecoder().decode(bytes.subarray(l4 + 8, end))) as Letter;
  return {
    letter,
    source: addressAt(view, addresses, size),
    destination: addressAt(view, addresses + size, size),
  };
}

function addressAt(view: DataView, at: number, size: number): string {
  const words = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(at + i * 4));
  return formatIp({ family: size === 4 ? 4 : 6, words });
}

function onesSum(view: DataView, start: number, end: number, initial: number): number {
  let sum = initial;
  for (let at = start; at < end; at += 2) sum += at + 1 < end ? view.getUint16(at) : view.getUint8(at) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}
