/**
 * Echo requests and what they bring back, over IPv4 (RFC 792) and IPv6 (RFC 4443). The messages are laid out
 * here and not with src/wire: a probe that judges the switch shares no code with it.
 *
 * Everything is synchronous: the probe has nothing else to do meanwhile, and the round trip is not blurred
 * by the event loop.
 */
import { RawSocket } from '../../../linux/raw-socket.js';
import { octetsOf, textOf } from './address.js';
import type {
  HopRequest,
  HopResult,
  PingRequest,
  PingResult,
  TooBigRequest,
  TooBigResult,
} from './protocol.js';

const HEADER = 8;
/** Of the IP header that the kernel puts in front. */
const IP_HEADER = { 4: 20, 6: 40 } as const;
/** Code of unreachable (RFC 792). */
const FRAGMENTATION_NEEDED = 4;
const ICMP = { echoReply: 0, unreachable: 3, echoRequest: 8, timeExceeded: 11 } as const;
const ICMPV6 = {
  unreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  echoRequest: 128,
  echoReply: 129,
} as const;

/** One family's way of doing it. */
interface Echo {
  readonly socket: RawSocket;
  readonly target: Uint8Array;
  readonly isIpv6: boolean;
  readonly identifier: number;
}

/** An ICMP message that concerns a request of ours. */
interface Answer {
  readonly answer: NonNullable<HopResult['answer']>;
  readonly from: Uint8Array;
  readonly ttl: number | null;
  /** Of 'too big'. */
  readonly mtu?: number;
}

let nextIdentifier = process.pid & 0xffff;

function open(target: string): Echo {
  const octets = octetsOf(target);
  const isIpv6 = octets.length === 16;
  nextIdentifier = (nextIdentifier + 1) & 0xffff;
  const socket = isIpv6 ? RawSocket.icmpv6() : RawSocket.icmp();
  return { socket, target: octets, isIpv6, identifier: nextIdentifier };
}

/** Ends at the first request that nobody answers: there is no point in waiting for more of that. */
export function ping(request: PingRequest): PingResult {
  const echo = open(request.target);
  try {
    const micros: number[] = [];
    let ttl: number | null = null;
    let sent = 0;
    while (sent < request.count && micros.length === sent) {
      const sequence = ++sent;
      const start = performance.now();
      echo.socket.send(echoRequest(echo, sequence, request.size), echo.target);
      const answer = awaitAnswer(echo, sequence, start + request.timeoutMs);
      if (answer?.answer !== 'echo reply') continue;
      micros.push((performance.now() - start) * 1000);
      ttl = answer.ttl;
    }
    return { sent, micros, ttl };
  } finally {
    echo.socket.close();
  }
}

/** One echo request that may pass `ttl` minus one routers. */
export function hop(request: HopRequest): HopResult {
  const echo = open(request.target);
  try {
    if (echo.isIpv6) echo.socket.setHopLimit(request.ttl);
    else echo.socket.setTtl(request.ttl);
    echo.socket.send(echoRequest(echo, 1, 32), echo.target);
    const answer = awaitAnswer(echo, 1, performance.now() + request.timeoutMs);
    return { from: answer ? textOf(answer.from) : null, answer: answer?.answer ?? null };
  } finally {
    echo.socket.close();
  }
}

/** One echo request that nobody may fragment, and what the path says to that. */
export function tooBig(request: TooBigRequest): TooBigResult {
  const echo = open(request.target);
  try {
    if (echo.isIpv6) echo.socket.neverFragment6();
    else echo.socket.neverFragment();
    const payload = request.size - IP_HEADER[echo.isIpv6 ? 6 : 4] - HEADER;
    echo.socket.send(echoRequest(echo, 1, payload), echo.target);
    const answer = awaitAnswer(echo, 1, performance.now() + request.timeoutMs);
    return answer?.mtu === undefined ? null : { from: textOf(answer.from), mtu: answer.mtu };
  } finally {
    echo.socket.close();
  }
}

/** Type, code, checksum, identifier, sequence, and a payload that counts up. */
function echoRequest(echo: Echo, sequence: number, size: number): Buffer {
  const message = Buffer.alloc(HEADER + size);
  message[0] = echo.isIpv6 ? ICMPV6.echoRequest : ICMP.echoRequest;
  message.writeUInt16BE(echo.identifier, 4);
  message.writeUInt16BE(sequence, 6);
  for (let at = HEADER; at < message.length; at++) message[at] = at & 0xff;
  if (!echo.isIpv6) message.writeUInt16BE(internetChecksum(message), 2);
  return message;
}

/** The complement of the one's complement sum of all 16-bit words (RFC 1071). */
export function internetChecksum(octets: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < octets.length; at += 2) sum += ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** The first message until `deadline` that answers the request; others' messages are passed over. */
function awaitAnswer(echo: Echo, sequence: number, deadline: number): Answer | undefined {
  for (;;) {
    const left = Math.ceil(deadline - performance.now());
    const message = echo.socket.receive(Math.max(0, left));
    if (message !== undefined) {
      const answer = echo.isIpv6
        ? readIcmpv6(message.octets, echo, sequence)
        : readIcmp(message.octets, echo, sequence);
      if (answer !== undefined) return { ...answer, from: message.from };
    }
    if (left <= 0) return undefined;
  }
}

type Read = Omit<Answer, 'from'> | undefined;

/** The IPv4 header comes first; an error quotes the header and 8 octets of what it is about. */
function readIcmp(packet: Buffer, echo: Echo, sequence: number): Read {
  const ttl = packet[8] ?? 0;
  const message = packet.subarray(((packet[0] ?? 0) & 15) * 4);
  if (message[0] === ICMP.echoReply) {
    return isOurs(message, echo, sequence) ? { answer: 'echo reply', ttl } : undefined;
  }
  if (message[0] !== ICMP.timeExceeded && message[0] !== ICMP.unreachable) return undefined;
  const quoted = message.subarray(HEADER);
  if (!isOurs(quoted.subarray(((quoted[0] ?? 0) & 15) * 4), echo, sequence)) return undefined;
  if (message[0] === ICMP.timeExceeded) return { answer: 'time exceeded', ttl };
  if (message[1] !== FRAGMENTATION_NEEDED) return { answer: 'unreachable', ttl };
  return { answer: 'too big', ttl, mtu: message.readUInt16BE(6) };
}

/** No IPv6 header comes first; an error quotes one of 40 octets. */
function readIcmpv6(message: Buffer, echo: Echo, sequence: number): Read {
  if (message[0] === ICMPV6.echoReply) {
    return isOurs(message, echo, sequence) ? { answer: 'echo reply', ttl: null } : undefined;
  }
  if ((message[0] ?? 0) > ICMPV6.timeExceeded) return undefined;
  if (!isOurs(message.subarray(HEADER + 40), echo, sequence)) return undefined;
  if (message[0] === ICMPV6.packetTooBig)
    return { answer: 'too big', ttl: null, mtu: message.readUInt32BE(4) };
  return { answer: message[0] === ICMPV6.timeExceeded ? 'time exceeded' : 'unreachable', ttl: null };
}

function isOurs(message: Buffer, echo: Echo, sequence: number): boolean {
  return (
    message.length >= HEADER &&
    message.readUInt16BE(4) === echo.identifier &&
    message.readUInt16BE(6) === sequence
  );
}
