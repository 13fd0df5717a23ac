/**
 * Datagrams that are being reassembled: which parts of each have arrived, and where they are.
 *
 * The bytes lie elsewhere, in one buffer a datagram (its packet slot is `buffer`); here is a bit for each
 * eight octets that are in it, so that an overlap is found whatever the fragments' sizes, and memory does not
 * depend on how many there are.
 *
 * Bounds: CAPACITY datagrams, MAX_PER_PORT of one ingress port. `victim` says which must go before another is
 * opened: the oldest of the same port; where that has none, the oldest of the port that has most. So a port
 * that sends first fragments and nothing else displaces only its own.
 *
 * An entry is an index, valid until it is closed. Cost: 70 KiB; a lookup compares at most CAPACITY keys.
 */
export const CAPACITY = 64;
export const MAX_PER_PORT = 16;
/** Octets of payload that an entry can hold. */
export const MAX_PAYLOAD = 65_536;

/** Words of a key: port, family and protocol, identification, source address, destination address. */
export const KEY_WORDS = 11;

const BLOCK_WORDS = MAX_PAYLOAD / 8 / 32;
const FREE = -1;

/** How much of a range has arrived before. */
export const COVERED = { NONE: 0, PARTLY: 1, WHOLLY: 2 } as const;

export class Reassemblies {
  /** Packet slot that holds the datagram's bytes. */
  readonly buffer = new Int32Array(CAPACITY).fill(FREE);
  /** Ingress port. */
  readonly port = new Uint16Array(CAPACITY);
  /** When the datagram is given up. */
  readonly due = new Float64Array(CAPACITY);
  /** Octets of payload; -1 until the last fragment has arrived. */
  readonly total = new Int32Array(CAPACITY);
  /** Octets of the network header; 0 until the first fragment has arrived. */
  readonly header = new Int32Array(CAPACITY);
  /** Octets that have arrived, and where the furthest of them end. */
  readonly arrived = new Int32Array(CAPACITY);
  readonly furthest = new Int32Array(CAPACITY);
  size = 0;

  private readonly keys = new Int32Array(CAPACITY * KEY_WORDS);
  private readonly order = new Float64Array(CAPACITY);
  private readonly blocks = new Uint32Array(CAPACITY * BLOCK_WORDS);
  private readonly perPort = new Uint8Array(0x10000);
  private opened = 0;

  isOpen(entry: number): boolean {
    return this.buffer[entry] !== FREE;
  }

  /** The entry of that key, or -1. */
  find(key: Int32Array): number {
    for (let entry = 0; entry < CAPACITY; entry++) {
      if (this.buffer[entry] !== FREE && this.hasKey(entry, key)) return entry;
    }
    return -1;
  }

  private hasKey(entry: number, key: Int32Array): boolean {
    const at = entry * KEY_WORDS;
    for (let i = 0; i < KEY_WORDS; i++) if (this.keys[at + i] !== key[i]) return false;
    return true;
  }

  /** The entry to close before `port` may open another, or -1 where there is room. */
  victim(port: number): number {
    const own = this.perPort[port];
    if (own < MAX_PER_PORT && this.size < CAPACITY) return -1;
    return this.oldestOf(own > 0 ? port : this.greediestPort());
  }

  private greediestPort(): number {
    let most = this.port[0];
    for (let entry = 1; entry < CAPACITY; entry++) {
      const port = this.port[entry];
      if (this.isOpen(entry) && this.perPort[port] > this.perPort[most]) most = port;
    }
    return most;
  }

  private oldestOf(port: number): number {
    let oldest = -1;
    for (let entry = 0; entry < CAPACITY; entry++) {
      if (!this.isOpen(entry) || this.port[entry] !== port) continue;
      if (oldest < 0 || this.order[entry] < this.order[oldest]) oldest = entry;
    }
    return oldest;
  }

  /** Opens an entry; the caller has made room for it as `victim` says. */
  open(key: Int32Array, port: number, buffer: number, due: number): number {
    const entry = this.buffer.indexOf(FREE);
    for (let i = 0; i < KEY_WORDS; i++) this.keys[entry * KEY_WORDS + i] = key[i];
    this.blocks.fill(0, entry * BLOCK_WORDS, (entry + 1) * BLOCK_WORDS);
    this.buffer[entry] = buffer;
    this.port[entry] = port;
    this.due[entry] = due;
    this.total[entry] = -1;
    this.header[entry] = 0;
    this.arrived[entry] = 0;
    this.furthest[entry] = 0;
    this.order[entry] = this.opened++;
    this.perPort[port]++;
    this.size++;
    return entry;
  }

  /** Forgets a datagram; its buffer is the caller's again. */
  close(entry: number): void {
    this.buffer[entry] = FREE;
    this.perPort[this.port[entry]]--;
    this.size--;
  }

  /** How much of `length` octets at `offset` (a multiple of 8) has arrived before: one of COVERED. */
  covered(entry: number, offset: number, length: number): number {
    const blocks = (length + 7) >>> 3;
    let present = 0;
    for (let i = 0; i < blocks; i++) present += this.block(entry, (offset >>> 3) + i);
    if (present === 0) return COVERED.NONE;
    return present === blocks ? COVERED.WHOLLY : COVERED.PARTLY;
  }

  private block(entry: number, index: number): number {
    return (this.blocks[entry * BLOCK_WORDS + (index >>> 5)] >>> (index & 31)) & 1;
  }

  /** Notes that `length` octets at `offset` have arrived, of which none had before. */
  add(entry: number, offset: number, length: number): void {
    const first = offset >>> 3;
    const end = (offset + length + 7) >>> 3;
    for (let i = first; i < end; i++) this.blocks[entry * BLOCK_WORDS + (i >>> 5)] |= 1 << (i & 31);
    this.arrived[entry] += length;
    this.furthest[entry] = Math.max(this.furthest[entry], offset + length);
  }

  isWhole(entry: number): boolean {
    return this.header[entry] > 0 && this.arrived[entry] === this.total[entry];
  }

  /** When the next datagram is given up, or -1 where there is none. */
  nextDue(): number {
    let next = -1;
    for (let entry = 0; entry < CAPACITY; entry++) {
      if (this.isOpen(entry) && (next < 0 || this.due[entry] < next)) next = this.due[entry];
    }
    return next;
  }
}
