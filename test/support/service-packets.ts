/** TCP and UDP frames for tests of services. */
import { repairChecksums } from './packet-repair.js';

export const PROTOCOL = { TCP: 6, UDP: 17 } as const;
export const FLAGS = { syn: 0x02, synAck: 0x12, ack: 0x10, finAck: 0x11, rst: 0x04 } as const;

/** In hexadecimal digits: of a port in `networks`. */
export function macOf(port: number): string {
  return `02700000001${port}`;
}

/** An IPv4 frame; `to` and `from` as macOf has them; `flags` of TCP. */
export function packet(
  to: string,
  from: string,
  source: string,
  destination: string,
  protocol: number,
  sourcePort: number,
  port: number,
  flags: number,
  payload: number,
): Uint8Array {
  const header = protocol === PROTOCOL.TCP ? 20 : 8;
  const bytes = Buffer.alloc(34 + header + payload);
  bytes.write(`${to}${from}080045`, 'hex');
  bytes.writeUInt16BE(20 + header + payload, 16);
  bytes.write('4000', 20, 'hex');
  bytes[22] = 64;
  bytes[23] = protocol;
  bytes.set(source.split('.').map(Number), 26);
  bytes.set(destination.split('.').map(Number), 30);
  bytes.writeUInt16BE(sourcePort, 34);
  bytes.writeUInt16BE(port, 36);
  if (protocol === PROTOCOL.TCP) {
    bytes.writeUInt32BE(1000, 38);
    bytes.writeUInt32BE((flags & FLAGS.ack) === 0 ? 0 : 1000, 42);
    bytes[46] = 0x50;
    bytes[47] = flags;
  } else bytes.writeUInt16BE(8 + payload, 38);
  repairChecksums(bytes);
  return bytes;
}
