/**
 * ICMP echo on the underlay, through the package raw-socket: is a host there, how long does a round trip take, and
 * does a packet of this size get through whole.
 *
 * Requests are sent with Don't Fragment, and past what the kernel has learned of the path (IP_PMTUDISC_PROBE):
 * whether a size passes is what is asked. raw-socket is an optional dependency, compiled when podwire is
 * installed; without it `loadRawSocket` says so, and whoever asks goes on without.
 *
 * A socket is made when it is needed and closed when no answer is waited for: an open one would be handed every
 * echo reply of the host.
 */
import type { Socket } from 'raw-socket';
import { complement, fold } from '../../wire/checksum.js';
import { canonicalIp, familyOf } from '../cidr.js';
import type { Logger } from '../logger.js';

export type RawSocketPackage = typeof import('raw-socket');

type Loaded = RawSocketPackage & { readonly default?: RawSocketPackage };

/** The package, or in words why it cannot be used. */
export async function loadRawSocket(
  load: () => Promise<Loaded> = () => import('raw-socket'),
): Promise<RawSocketPackage | string> {
  try {
    const loaded = await load();
    return loaded.default ?? loaded;
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    return `the package raw-socket is not there (${reason}): it is compiled when podwire is installed, which takes g++, make and python3`;
  }
}

/** For the daemon: undefined, and one line in the log, where raw-socket is missing. */
export async function openIcmpEcho(log: Logger, raw = loadRawSocket()): Promise<IcmpEcho | undefined> {
  const loaded = await raw;
  if (typeof loaded !== 'string') return new IcmpEcho(loaded);
  log.warn(
    { reason: loaded },
    'no ICMP echo: path MTU is what the kernel knows of it, black holes are not found',
  );
  return undefined;
}

/** Octets of the IP header that the kernel puts in front, and of the ICMP header. */
const IP_HEADER = { 4: 20, 6: 40 } as const;
const ICMP_HEADER = 8;
/** The smallest packet that can be asked for. */
export const SMALLEST_ECHO = { 4: 28, 6: 48 } as const;

const TYPES = { 4: { request: 8, reply: 0 }, 6: { request: 128, reply: 129 } } as const;

/** linux/in.h, in6.h, icmp.h, icmpv6.h, socket.h: the same everywhere. */
const SOL = { IP: 0, IPV6: 41, ICMPV6: 58, RAW: 255 } as const;
const IP_MTU_DISCOVER = 10;
const IPV6_MTU_DISCOVER = 23;
const PMTUDISC_PROBE = 3;
const ICMP_FILTER = 1;

const BUFFER = 65_536;

interface Waiting {
  readonly from: string;
  readonly sent: number;
  readonly answered: (micros: number | undefined) => void;
  readonly timer: NodeJS.Timeout;
}

export class IcmpEcho {
  readonly #waiting = new Map<number, Waiting>();
  readonly #sockets = new Map<4 | 6, Socket>();
  readonly #identifier = Math.trunc(Math.random() * 0x10000);
  #sequence = 0;

  /** @param open runs what makes a socket; for a network namespace that is not the thread's own. */
  constructor(
    private readonly raw: RawSocketPackage,
    private readonly open: (make: () => Socket) => Socket = (make) => make(),
  ) {}

  /**
   * Sends an echo request that fills an IP packet of `size` bytes. Answers the round trip in microseconds;
   * undefined where none came back in time or the packet could not be sent (larger than the interface's MTU).
   * @param address without scope.
   */
  echo(address: string, size: number, timeoutMs: number): Promise<number | undefined> {
    const from = canonicalIp(address);
    const family = familyOf(from);
    const sequence = this.#nextSequence();
    return new Promise((resolve, reject) => {
      const answered = (micros: number | undefined) => {
        const waiting = this.#waiting.get(sequence);
        clearTimeout(waiting?.timer);
        this.#waiting.delete(sequence);
        if (this.#waiting.size === 0) this.close();
        resolve(micros);
      };
      const timer = setTimeout(() => answered(undefined), timeoutMs);
      this.#waiting.set(sequence, { from, sent: performance.now(), answered, timer });
      try {
        const message = echoRequest(family, this.#identifier, sequence, size);
        this.#socket(family).send(message, 0, message.length, address, (error) => {
          if (error) answered(undefined);
        });
      } catch (error) {
        answered(undefined);
        reject(error);
      }
    });
  }

  /** Gives up what is waited for. It may be used again. */
  close(): void {
    const sockets = [...this.#sockets.values()];
    this.#sockets.clear();
    for (const socket of sockets) socket.close();
    for (const { answered } of [...this.#waiting.values()]) answered(undefined);
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) & 0xffff;
    return this.#sequence;
  }

  #socket(family: 4 | 6): Socket {
    const present = this.#sockets.get(family);
    if (present) return present;
    const socket = this.open(() => makeSocket(this.raw, family));
    this.#sockets.set(family, socket);
    socket.on('message', (message, source) => this.#take(family, message, source));
    // The package closes a socket that has failed; the requests run into their time limits.
    socket.on('error', () => {
      if (this.#sockets.get(family) === socket) this.#sockets.delete(family);
    });
    return socket;
  }

  #take(family: 4 | 6, packet: Buffer, source: string): void {
    const message = family === 4 ? packet.subarray(((packet[0] ?? 0) & 15) * 4) : packet;
    if (message.length < ICMP_HEADER || message[0] !== TYPES[family].reply) return;
    if (message.readUInt16BE(4) !== this.#identifier) return;
    const waiting = this.#waiting.get(message.readUInt16BE(6));
    if (waiting?.from !== source) return;
    waiting.answered((performance.now() - waiting.sent) * 1000);
  }
}

function makeSocket(raw: RawSocketPackage, family: 4 | 6): Socket {
  const socket = raw.createSocket({
    addressFamily: family === 4 ? raw.AddressFamily.IPv4 : raw.AddressFamily.IPv6,
    protocol: family === 4 ? raw.Protocol.ICMP : raw.Protocol.ICMPv6,
    bufferSize: BUFFER,
  });
  if (family === 4) socket.setOption(SOL.IP, IP_MTU_DISCOVER, PMTUDISC_PROBE);
  else socket.setOption(SOL.IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE);
  const filter = onlyReplies(family);
  socket.setOption(family === 4 ? SOL.RAW : SOL.ICMPV6, ICMP_FILTER, filter, filter.length);
  return socket;
}

/** ICMP_FILTER and ICMP6_FILTER (RFC 3542 section 3.2): a bit for each type, set where it is not wanted. */
function onlyReplies(family: 4 | 6): Buffer {
  const words = new Uint32Array(family === 4 ? 1 : 8).fill(0xffff_ffff);
  const { reply } = TYPES[family];
  words[reply >>> 5]! &= ~(1 << (reply & 31));
  return Buffer.from(words.buffer);
}

/** RFC 792, RFC 4443 section 4.1. The kernel computes the checksum of ICMPv6, as it knows the source. */
function echoRequest(family: 4 | 6, identifier: number, sequence: number, size: number): Buffer {
  const message = Buffer.alloc(Math.max(size - IP_HEADER[family], ICMP_HEADER));
  message[0] = TYPES[family].request;
  message.writeUInt16BE(identifier, 4);
  message.writeUInt16BE(sequence, 6);
  if (family === 4) message.writeUInt16BE(checksumOf(message), 2);
  return message;
}

/** All but the header is zero. */
function checksumOf(message: Buffer): number {
  return complement(fold(message.readUInt16BE(0) + message.readUInt16BE(4) + message.readUInt16BE(6)));
}
