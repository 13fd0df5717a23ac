/**
 * What became of the first fragment's addresses: only it has ports, so only it is looked up, and the others follow it.
 *
 * A fragment that comes before the first one is not found and so dropped: kernels send fragments in order, and what keeps a
 * flow's order here and in the tunnel keeps that too. Bounds: SETS of WAYS entries; the oldest of a set goes.
 * Entries live for 30 s, as reassembly does (RFC 791 suggests 15 and more, Linux waits 30).
 */
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as extensions from '../../wire/ipv6-extensions.js';
import { KIND, type PacketPool } from '../pool.js';
import { KeyedHash } from '../tables/hash.js';
import type { Rewritten } from './rewrite.js';

const SETS = 256;
const WAYS = 4;
const LIFETIME = 30_000;

/** Source, destination, identification, protocol with family. */
const KEY_WORDS = 10;
/** New source, new destination, route table. */
const VALUE_WORDS = 9;
const IPV6 = 0x100;

export class FragmentTable {
  private readonly keys = new Int32Array(SETS * WAYS * KEY_WORDS);
  private readonly values = new Int32Array(SETS * WAYS * VALUE_WORDS);
  /** 0: free. */
  private readonly due = new Float64Array(SETS * WAYS);
  private readonly key = new Int32Array(KEY_WORDS);
  private readonly hash: KeyedHash;

  constructor(seed: number) {
    this.hash = new KeyedHash(seed);
  }

  /** Of the first fragment, before it is translated to `to`; `table` is where the packet is to be routed, or -1. */
  note(pool: PacketPool, slot: number, to: Rewritten, table: number, now: number): void {
    const set = this.load(pool, slot);
    const known = this.search(set, now);
    const entry = known >= 0 ? known : this.oldest(set);
    this.due[entry] = now + LIFETIME;
    this.keys.set(this.key, entry * KEY_WORDS);
    const at = entry * VALUE_WORDS;
    for (let i = 0; i < 4; i++) {
      this.values[at + i] = to.source[i];
      this.values[at + 4 + i] = to.destination[i];
    }
    this.values[at + 8] = table;
  }

  /** The entry of a later fragment, or -1. */
  find(pool: PacketPool, slot: number, now: number): number {
    return this.search(this.load(pool, slot), now);
  }

  /** Fills the addresses of `to` and answers the route table. */
  read(entry: number, to: Rewritten): number {
    const at = entry * VALUE_WORDS;
    for (let i = 0; i < 4; i++) {
      to.source[i] = this.values[at + i];
      to.destination[i] = this.values[at + 4 + i];
    }
    return this.values[at + 8];
  }

  private search(set: number, now: number): number {
    for (let entry = set; entry < set + WAYS; entry++) {
      if (this.due[entry] > now && this.isKey(entry)) return entry;
    }
    return -1;
  }

  private isKey(entry: number): boolean {
    const at = entry * KEY_WORDS;
    for (let i = 0; i < KEY_WORDS; i++) if (this.keys[at + i] !== this.key[i]) return false;
    return true;
  }

  private oldest(set: number): number {
    let oldest = set;
    for (let entry = set + 1; entry < set + WAYS; entry++) {
      if (this.due[entry] < this.due[oldest]) oldest = entry;
    }
    return oldest;
  }

  /** Fills `key` and answers the first entry of its set. */
  private load(pool: PacketPool, slot: number): number {
    const { key } = this;
    const { view } = pool;
    const l3 = pool.l3[slot];
    key.fill(0);
    if (pool.kind[slot] === KIND.IPV4) {
      key[0] = view.getInt32(l3 + ipv4.SRC);
      key[4] = view.getInt32(l3 + ipv4.DST);
      key[8] = ipv4.id(view, l3);
      key[9] = pool.protocol[slot];
    } else {
      for (let i = 0; i < 4; i++) {
        key[i] = ipv6.srcWord(view, l3, i);
        key[4 + i] = ipv6.dstWord(view, l3, i);
      }
      // The protocol is named in the first fragment only (RFC 8200 section 4.5 has it in each, and allows otherwise).
      key[8] = identification(pool, slot);
      key[9] = IPV6;
    }
    const low = this.hash.hash5(key[0], key[1], key[2], key[3], key[8]);
    return ((this.hash.hash5(key[4], key[5], key[6], key[7], low) >>> 0) % SETS) * WAYS;
  }
}

function identification(pool: PacketPool, slot: number): number {
  const l3 = pool.l3[slot];
  const chain = extensions.walk(pool.view, l3, l3 + pool.l3Length[slot]);
  const header = extensions.fragmentHeader(chain);
  return header === 0 ? 0 : extensions.fragmentId(pool.view, l3 + header) | 0;
}
