/**
 * Messages to and from UDP sockets, for sendmsg(2) and recvmsg(2): struct msghdr with its iovec, socket address
 * and control message, prepared in native memory. Each message is a number below `count`; its payload lies in
 * packet memory. Nothing here allocates after construction.
 *
 * Addresses are signed 32-bit words, the most significant first. A message that is under way must not be aimed
 * again: the kernel reads and writes these structures until the call, or the request of a ring, has ended.
 *
 *     struct msghdr { u64 name; u32 namelen, -; u64 iov; u64 iovlen; u64 control; u64 controllen; u32 flags, - }
 *     struct iovec { u64 base; u64 length }
 *     struct sockaddr_in or sockaddr_in6 (28 bytes), 4 bytes of nothing
 *     struct cmsghdr { u64 length; u32 level, type } and its data, 16 bytes
 */
import { nativeArray } from './libc.js';
import { MemoryAddress } from './memory.js';
import { AddressFamily } from './socket-abi.js';
import { MSG_TRUNC, SocketLevel, UdpOption } from './udp-abi.js';

/** Word offsets within a message. */
const NAME = 0;
const NAME_LENGTH = 2;
const VECTOR = 4;
const VECTOR_COUNT = 6;
const CONTROL = 8;
const CONTROL_LENGTH = 10;
const FLAGS = 12;
const BASE = 14;
const LENGTH = 16;
const ADDRESS = 18;
const CMSG = 26;
const CMSG_LEVEL = CMSG + 2;
const CMSG_TYPE = CMSG + 3;
const CMSG_DATA = CMSG + 4;
const MESSAGE_WORDS = 34;

const IPV4_BYTES = 16;
const IPV6_BYTES = 28;
const CMSG_HEADER_BYTES = 16;
/** CMSG_SPACE of a 16-bit value, and room for one of any kind that was asked for. */
const SEGMENT_BYTES = 24;
const CONTROL_BYTES = 32;

export class MessageTable {
  readonly count: number;
  /** The structures; the first message's is at the beginning. */
  readonly words: Int32Array;
  readonly #view: DataView;
  readonly #own: MemoryAddress;
  readonly #memory: MemoryAddress;

  /** @param memory where payloads lie. */
  constructor(count: number, memory: MemoryAddress) {
    this.count = count;
    this.words = nativeArray(count * MESSAGE_WORDS);
    this.#view = new DataView(this.words.buffer);
    this.#own = new MemoryAddress(this.words.buffer);
    this.#memory = memory;
    for (let index = 0; index < count; index++) this.#lay(index * MESSAGE_WORDS);
  }

  /** The address of message `index`, for a request of a ring. */
  low(index: number): number {
    return this.#own.low(index * MESSAGE_WORDS * 4);
  }

  high(index: number): number {
    return this.#own.high(index * MESSAGE_WORDS * 4);
  }

  /** Makes it one that takes up to `length` bytes to packet memory at `offset`. */
  aimToReceive(index: number, offset: number, length: number): void {
    const at = index * MESSAGE_WORDS;
    this.#aim(at, offset, length);
    this.words[at + NAME_LENGTH] = IPV6_BYTES;
    this.words[at + CONTROL_LENGTH] = CONTROL_BYTES;
  }

  /**
   * Makes it one that sends `length` bytes of packet memory from `offset`: one datagram where `segment` is 0, else
   * several of `segment` bytes each, the last of which may be shorter. To whom, `toIpv4` or `toIpv6` says.
   */
  aimToSend(index: number, offset: number, length: number, segment: number): void {
    const { words } = this;
    const at = index * MESSAGE_WORDS;
    this.#aim(at, offset, length);
    if (segment === 0) {
      words[at + CONTROL_LENGTH] = 0;
      return;
    }
    words[at + CONTROL_LENGTH] = SEGMENT_BYTES;
    words[at + CMSG] = CMSG_HEADER_BYTES + 2;
    words[at + CMSG + 1] = 0;
    words[at + CMSG_LEVEL] = SocketLevel.SOL_UDP;
    words[at + CMSG_TYPE] = UdpOption.UDP_SEGMENT;
    words[at + CMSG_DATA] = segment;
  }

  toIpv4(index: number, address: number, port: number): void {
    const at = index * MESSAGE_WORDS;
    this.words[at + NAME_LENGTH] = IPV4_BYTES;
    const name = this.#name(at, AddressFamily.AF_INET, port);
    this.#view.setInt32(name + 4, address);
    this.#view.setInt32(name + 8, 0);
    this.#view.setInt32(name + 12, 0);
  }

  toIpv6(index: number, w0: number, w1: number, w2: number, w3: number, port: number): void {
    const at = index * MESSAGE_WORDS;
    this.words[at + NAME_LENGTH] = IPV6_BYTES;
    const name = this.#name(at, AddressFamily.AF_INET6, port);
    this.#view.setInt32(name + 4, 0);
    this.#view.setInt32(name + 8, w0);
    this.#view.setInt32(name + 12, w1);
    this.#view.setInt32(name + 16, w2);
    this.#view.setInt32(name + 20, w3);
    this.#view.setInt32(name + 24, 0);
  }

  /** Of a received message: whether it was longer than its room. */
  isTruncated(index: number): boolean {
    return (this.words[index * MESSAGE_WORDS + FLAGS]! & MSG_TRUNC) !== 0;
  }

  /** The length of each of several datagrams of one flow, the last of which may be shorter; 0: it says nothing. */
  segment(index: number): number {
    const { words } = this;
    const at = index * MESSAGE_WORDS;
    const isThere =
      words[at + CONTROL_LENGTH]! >= CMSG_HEADER_BYTES + 4 &&
      words[at + CMSG_LEVEL] === SocketLevel.SOL_UDP &&
      words[at + CMSG_TYPE] === UdpOption.UDP_GRO;
    return isThere ? words[at + CMSG_DATA]! : 0;
  }

  /** Writes the sender's address as four words, IPv4 as an IPv4-mapped address, to `to` from `place` on. */
  readRemote(index: number, to: Int32Array, place: number): void {
    const name = (index * MESSAGE_WORDS + ADDRESS) * 4;
    const view = this.#view;
    if (view.getUint16(name, true) === AddressFamily.AF_INET) {
      to[place] = 0;
      to[place + 1] = 0;
      to[place + 2] = 0xffff;
      to[place + 3] = view.getInt32(name + 4);
      return;
    }
    for (let word = 0; word < 4; word++) to[place + word] = view.getInt32(name + 8 + word * 4);
  }

  /** The sender's port. */
  remotePort(index: number): number {
    return this.#view.getUint16((index * MESSAGE_WORDS + ADDRESS) * 4 + 2);
  }

  /** Family and port; answers where the address lies, in bytes. */
  #name(at: number, family: number, port: number): number {
    const name = (at + ADDRESS) * 4;
    this.#view.setUint16(name, family, true);
    this.#view.setUint16(name + 2, port);
    return name;
  }

  #aim(at: number, offset: number, length: number): void {
    this.words[at + BASE] = this.#memory.low(offset);
    this.words[at + BASE + 1] = this.#memory.high(offset);
    this.words[at + LENGTH] = length;
  }

  /** The pointers among the structures, which stay. */
  #lay(at: number): void {
    this.#point(at, NAME, ADDRESS);
    this.#point(at, VECTOR, BASE);
    this.#point(at, CONTROL, CMSG);
    this.words[at + VECTOR_COUNT] = 1;
  }

  #point(at: number, pointer: number, target: number): void {
    this.words[at + pointer] = this.#own.low((at + target) * 4);
    this.words[at + pointer + 1] = this.#own.high((at + target) * 4);
  }
}
