/**
 * Answers from service addresses. A capture taken at a client holds them as the client gets them: from the service, whom no port
 * of the switch belongs to. As the backend sent them they go through the switch like any packet, so they are written back into that,
 * after what became of the client's own packets. Checksums are kept as they were, right or wrong.
 */
import { parseIp } from '../../wire/address.js';
import { update16 } from '../../wire/checksum.js';
import * as ipv4 from '../../wire/ipv4.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as extensions from '../../wire/ipv6-extensions.js';
import { CHECKSUM_OFFSET as TCP_CHECKSUM } from '../../wire/tcp.js';
import { CHECKSUM_OFFSET as UDP_CHECKSUM } from '../../wire/udp.js';
import type { CapturedPacket } from './captured-packet.js';

type Tuple = Pick<CapturedPacket, 'protocol' | 'source' | 'sourcePort' | 'destination' | 'destinationPort'>;

const IPV4_CHECKSUM = 10;
const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;

export class ServiceAnswers {
  /** By the tuple that an answer has in the capture: what the backend has sent. */
  private readonly sent = new Map<string, Tuple>();
  /** By the tuple that a client has asked with: what became of it. */
  private readonly translated = new Map<string, Tuple>();

  /** `asked` went to a service, and left the switch as `translated`. */
  learn(asked: Tuple, translated: Tuple): void {
    const isSame = asked.destination === translated.destination && asked.source === translated.source;
    if (isSame || asked.destinationPort < 0) return;
    this.sent.set(keyOf(reversed(asked)), reversed(translated));
    this.translated.set(keyOf(asked), translated);
  }

  /** Where what was asked for has gone. */
  translation(asked: Tuple): Tuple | undefined {
    return this.translated.get(keyOf(asked));
  }

  /** What was sent where this is what came; undefined where it is no such answer. */
  sentAs(packet: CapturedPacket): Tuple | undefined {
    return this.sent.size === 0 ? undefined : this.sent.get(keyOf(packet));
  }
}

function reversed({ protocol, source, sourcePort, destination, destinationPort }: Tuple): Tuple {
  return {
    protocol,
    source: destination,
    sourcePort: destinationPort,
    destination: source,
    destinationPort: sourcePort,
  };
}

function keyOf({ protocol, source, sourcePort, destination, destinationPort }: Tuple): string {
  return `${protocol} ${source} ${sourcePort} ${destination} ${destinationPort}`;
}

/** Writes the addresses and ports of `tuple` into the IP packet at `at`. */
export function writeTuple(view: DataView, at: number, tuple: Tuple): void {
  const isIpv4 = view.getUint8(at) >>> 4 === 4;
  const checks = [...(isIpv4 ? [at + IPV4_CHECKSUM] : []), ...transportCheck(view, at, tuple.protocol)];
  const [from, to] = isIpv4 ? [ipv4.SRC, ipv4.DST] : [ipv6.SRC, ipv6.DST];
  writeAddress(view, at + from, tuple.source, checks);
  writeAddress(view, at + to, tuple.destination, checks);
  const upper = upperOf(view, at);
  const ofTransport = checks.slice(isIpv4 ? 1 : 0);
  writeWord(view, upper + SOURCE_PORT, tuple.sourcePort, ofTransport);
  writeWord(view, upper + DESTINATION_PORT, tuple.destinationPort, ofTransport);
}

function writeAddress(view: DataView, at: number, address: string, checks: readonly number[]): void {
  parseIp(address).words.forEach((word, index) => {
    writeWord(view, at + 4 * index, word >>> 16, checks);
    writeWord(view, at + 4 * index + 2, word & 0xffff, checks);
  });
}

function writeWord(view: DataView, at: number, value: number, checks: readonly number[]): void {
  const old = view.getUint16(at);
  for (const check of checks) view.setUint16(check, update16(view.getUint16(check), old, value));
  view.setUint16(at, value);
}

/** Where the checksum is that covers addresses and ports; UDP may have none. */
function transportCheck(view: DataView, at: number, protocol: number): number[] {
  const upper = upperOf(view, at);
  if (protocol === PROTOCOL.TCP) return [upper + TCP_CHECKSUM];
  if (protocol !== PROTOCOL.UDP || view.getUint16(upper + UDP_CHECKSUM) === 0) return [];
  return [upper + UDP_CHECKSUM];
}

function upperOf(view: DataView, at: number): number {
  if (view.getUint8(at) >>> 4 === 4) return at + ipv4.headerLength(view, at);
  return at + extensions.upperOffset(extensions.walk(view, at, view.byteLength));
}
