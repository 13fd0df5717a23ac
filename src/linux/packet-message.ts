/**
 * Messages to and from packet sockets, for sendmsg(2) and recvmsg(2): struct msghdr with its vector, room for what
 * the kernel tells beside a frame, and a prefix for what is sent. Each message is a number below `count`; its frame lies
 * in packet memory. Nothing here allocates after construction.
 *
 * What comes is written to packet memory in one piece, the virtio header right before the frame. What is sent has two
 * pieces, the prefix here and the rest in packet memory: so a VLAN tag is put in without moving the frame, and a packet
 * that other ports send as well is only read.
 *
 *     struct msghdr { u64 name; u32 namelen, -; u64 iov; u64 iovlen; u64 control; u64 controllen; u32 flags, - }
 *     struct iovec { u64 base; u64 length } twice
 *     struct cmsghdr { u64 length; u32 level, type }, struct tpacket_auxdata (20 bytes), 4 bytes of nothing
 *     prefix: virtio header (10), and with a tag MAC addresses (12) and the tag (4); 6 bytes of nothing
 */
import { nativeArray } from './libc.js';
import { MemoryAddress } from './memory.js';
import * as abi from './packet-abi.js';
import { PacketOption, SOL_PACKET } from './packet-abi.js';
import { MSG_TRUNC } from './udp-abi.js';

/** Word offsets within a message. */
const VECTOR = 4;
const VECTOR_COUNT = 6;
const CONTROL = 8;
const CONTROL_LENGTH = 10;
const FLAGS = 12;
const BASE = 14;
const LENGTH = 16;
const REST_BASE = 18;
const REST_LENGTH = 20;
const CMSG = 22;
const CMSG_LEVEL = CMSG + 2;
const CMSG_TYPE = CMSG + 3;
const CMSG_DATA = CMSG + 4;
const PREFIX = 32;
const MESSAGE_WORDS = 40;

const CMSG_HEADER_BYTES = 16;
const CONTROL_BYTES = 40;
const TPID_8021Q = 0x8100;

export class PacketMessages {
  readonly count: number;
  /** The structures; the first message's is at the beginning. */
  readonly words: Int32Array;
  /** Over the same: prefixes are written through it, see `prefix`. */
  readonly view: DataView;
  readonly #own: MemoryAddress;
  readonly #memory: MemoryAddress;

  /** @param memory where frames lie. */
  constructor(count: number, memory: MemoryAddress) {
    this.count = count;
    this.words = nativeArray(count * MESSAGE_WORDS);
    this.view = new DataView(this.words.buffer);
    this.#own = new MemoryAddress(this.words.buffer);
    this.#memory = memory;
    for (let index = 0; index < count; index++) {
      const at = index * MESSAGE_WORDS;
      this.#point(at, VECTOR, BASE);
      this.#point(at, CONTROL, CMSG);
    }
  }

  /** The address of message `index`, for a request of a ring. */
  low(index: number): number {
    return this.#own.low(index * MESSAGE_WORDS * 4);
  }

  high(index: number): number {
    return this.#own.high(index * MESSAGE_WORDS * 4);
  }

  /** Makes it one that takes up to `length` bytes, virtio header and frame, to packet memory at `offset`. */
  aimToReceive(index: number, offset: number, length: number): void {
    const { words } = this;
    const at = index * MESSAGE_WORDS;
    words[at + BASE] = this.#memory.low(offset);
    words[at + BASE + 1] = this.#memory.high(offset);
    words[at + LENGTH] = length;
    words[at + VECTOR_COUNT] = 1;
    words[at + CONTROL_LENGTH] = CONTROL_BYTES;
  }

  /** Makes it one that sends the first `prefixLength` bytes of its prefix, and `length` bytes of packet memory. */
  aimToSend(index: number, prefixLength: number, offset: number, length: number): void {
    const { words } = this;
    const at = index * MESSAGE_WORDS;
    this.#point(at, BASE, PREFIX);
    words[at + LENGTH] = prefixLength;
    words[at + REST_BASE] = this.#memory.low(offset);
    words[at + REST_BASE + 1] = this.#memory.high(offset);
    words[at + REST_LENGTH] = length;
    words[at + VECTOR_COUNT] = 2;
    words[at + CONTROL_LENGTH] = 0;
  }

  /** Where the prefix of a message begins in `view`. */
  prefix(index: number): number {
    return (index * MESSAGE_WORDS + PREFIX) * 4;
  }

  /** Of a received message: whether it was longer than its room. */
  isTruncated(index: number): boolean {
    return (this.words[index * MESSAGE_WORDS + FLAGS]! & MSG_TRUNC) !== 0;
  }

  /** Of a received frame: the tag that the kernel took out, TPID and TCI in one word; 0: it had none. */
  tag(index: number): number {
    const { words, view } = this;
    const at = index * MESSAGE_WORDS;
    const isThere =
      words[at + CONTROL_LENGTH]! >= CMSG_HEADER_BYTES + abi.AUXDATA_BYTES &&
      words[at + CMSG_LEVEL] === SOL_PACKET &&
      words[at + CMSG_TYPE] === PacketOption.PACKET_AUXDATA;
    if (!isThere) return 0;
    const data = (at + CMSG_DATA) * 4;
    const status = view.getUint32(data + abi.AUXDATA_STATUS_AT, true);
    if ((status & abi.TP_STATUS_VLAN_VALID) === 0) return 0;
    const hasType = (status & abi.TP_STATUS_VLAN_TPID_VALID) !== 0;
    const type = hasType ? view.getUint16(data + abi.AUXDATA_VLAN_TPID_AT, true) : TPID_8021Q;
    return (type << 16) | view.getUint16(data + abi.AUXDATA_VLAN_TCI_AT, true);
  }

  #point(at: number, pointer: number, target: number): void {
    this.words[at + pointer] = this.#own.low((at + target) * 4);
    this.words[at + pointer + 1] = this.#own.high((at + target) * 4);
  }
}
