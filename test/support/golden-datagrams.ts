/**
 * The datagrams of a capture: what a tunnel device hands up or is given, from the outer frames around it.
 *
 * A capture shows packets as they are on the underlay; a device sees UDP payloads and who is at the other end. The
 * outer headers are scapy's, without options or tags, and read here by their fixed places. The source port of what
 * leaves is the device's choice and not compared.
 */
import { formatIp } from '../../src/wire/address.js';
import type { GoldenPacket } from './golden-case.js';

const ETHERNET = 14;
const UDP = 8;

/** Which of the outer addresses is the other end's. */
export type Side = 'source' | 'destination';

interface Datagram {
  readonly payload: Uint8Array;
  readonly remote: string;
}

/** `counts`: how many datagrams lie in each slot, one after the other. */
export function datagramsOf(
  frames: readonly Uint8Array[],
  counts: readonly number[],
  side: Side,
): GoldenPacket[] {
  const datagrams = frames.map((frame) => read(frame, side));
  const packets: GoldenPacket[] = [];
  for (let at = 0, i = 0; at < datagrams.length; i++) {
    const count = counts[i] ?? 1;
    packets.push(bundle(datagrams.slice(at, at + count)));
    at += count;
  }
  return packets;
}

function bundle(datagrams: readonly Datagram[]): GoldenPacket {
  const [{ payload, remote }] = datagrams;
  const gsoSize = datagrams.length > 1 ? payload.length : 0;
  const facts = { flags: 0, gsoType: 0, gsoSize, checksumStart: 0, checksumOffset: 0 };
  return { bytes: Uint8Array.from(Buffer.concat(datagrams.map((one) => one.payload))), facts, remote };
}

function read(frame: Uint8Array, side: Side): Datagram {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const isIpv4 = view.getUint8(ETHERNET) >> 4 === 4;
  const at = ETHERNET + (isIpv4 ? 12 : 8) + (side === 'source' ? 0 : isIpv4 ? 4 : 16);
  const udp = ETHERNET + (isIpv4 ? 20 : 40);
  const words = Uint32Array.from({ length: isIpv4 ? 1 : 4 }, (_, i) => view.getUint32(at + i * 4));
  const port = view.getUint16(udp + (side === 'source' ? 0 : 2));
  return {
    payload: frame.slice(udp + UDP, udp + view.getUint16(udp + 4)),
    remote: `${formatIp({ family: isIpv4 ? 4 : 6, words })} ${port}`,
  };
}
