/**
 * Who claims which frontend. A claim has a number; of those of one key, the WordIndex leads to that of the lowest service, and
 * from there a list to the others, in order. Another list has all claims of a service.
 *
 * Arrays double when claims are added, never for a packet. Memory: 33 bytes a claim.
 */
import { KEY_WORDS, type WordIndex } from '../tables/word-index.js';

export const MOST_FRONTENDS = 1 << 20;
const LEAST = 16;

export class FrontendClaims {
  size = 0;
  private keys = new Int32Array(LEAST * KEY_WORDS);
  private services = new Int32Array(LEAST);
  private scopes = new Uint8Array(LEAST);
  /** The next claim of the same key, plus one; of a free claim, the next free one. */
  private others = new Int32Array(LEAST);
  /** The next claim of the same service, plus one. */
  private mores = new Int32Array(LEAST);
  /** By service: its first claim. */
  private readonly firsts = new Map<number, number>();
  private free = 0;
  private touched = 0;

  constructor(private readonly index: WordIndex) {}

  scope(claim: number): number {
    return this.scopes[claim];
  }

  /** Of the key whose words are at `from` in `keys`. Answers the claim's number. */
  add(service: number, keys: Int32Array, from: number, scope: number): number {
    const claim = this.allocate();
    this.keys.set(keys.subarray(from, from + KEY_WORDS), claim * KEY_WORDS);
    this.services[claim] = service;
    this.scopes[claim] = scope;
    this.mores[claim] = (this.firsts.get(service) ?? -1) + 1;
    this.firsts.set(service, claim);
    this.queue(claim);
    this.size++;
    return claim;
  }

  removeAll(service: number): void {
    let claim = this.firsts.get(service) ?? -1;
    this.firsts.delete(service);
    while (claim >= 0) {
      const next = this.mores[claim] - 1;
      this.unqueue(claim);
      this.others[claim] = this.free;
      this.free = claim + 1;
      this.size--;
      claim = next;
    }
  }

  /** Behind those of lower services, and of the same service. */
  private queue(claim: number): void {
    const service = this.services[claim];
    const first = this.index.get(this.keys, claim * KEY_WORDS);
    if (first < 0 || this.services[first] > service) {
      this.others[claim] = first + 1;
      this.index.set(this.keys, claim * KEY_WORDS, claim);
      return;
    }
    let before = first;
    for (let next = this.others[before] - 1; next >= 0 && this.services[next] <= service; ) {
      before = next;
      next = this.others[before] - 1;
    }
    this.others[claim] = this.others[before];
    this.others[before] = claim + 1;
  }

  private unqueue(claim: number): void {
    const at = claim * KEY_WORDS;
    const first = this.index.get(this.keys, at);
    const next = this.others[claim] - 1;
    if (first === claim) {
      if (next < 0) this.index.delete(this.keys, at);
      else this.index.set(this.keys, at, next);
      return;
    }
    let before = first;
    while (this.others[before] !== claim + 1) before = this.others[before] - 1;
    this.others[before] = next + 1;
  }

  private allocate(): number {
    if (this.free > 0) {
      const claim = this.free - 1;
      this.free = this.others[claim];
      return claim;
    }
    if (this.touched === this.services.length) this.grow();
    return this.touched++;
  }

  private grow(): void {
    this.keys = doubled(this.keys);
    this.services = doubled(this.services);
    this.others = doubled(this.others);
    this.mores = doubled(this.mores);
    const scopes = new Uint8Array(2 * this.scopes.length);
    scopes.set(this.scopes);
    this.scopes = scopes;
  }
}

function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const more = new Int32Array(2 * array.length);
  more.set(array);
  return more;
}
