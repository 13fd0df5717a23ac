/**
 * Which addresses refused a datagram as too big for their path, told to a listener: each at most once a second.
 *
 * Bounded: 256 addresses at a time. While all of them are younger than a second, others are not told of; their next
 * refusal will be. Costs 24 bytes for each.
 */

const ADDRESSES = 256;
const INTERVAL_MS = 1000;

/** Four words of `words` from `at` on are the address, IPv4-mapped for IPv4; valid during the call. */
export type TooBigListener = (words: Int32Array, at: number) => void;

export class TooBigNotices {
  private readonly words = new Int32Array(ADDRESSES * 4);
  private readonly told = new Float64Array(ADDRESSES).fill(Number.NEGATIVE_INFINITY);

  constructor(
    private readonly listener: TooBigListener,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** A datagram to this address was refused. */
  note(words: Int32Array, at: number): void {
    const now = this.clock();
    let oldest = 0;
    for (let entry = 0; entry < ADDRESSES; entry++) {
      if (this.told[entry] < this.told[oldest]) oldest = entry;
      if (!this.isAt(entry, words, at)) continue;
      if (now - this.told[entry] >= INTERVAL_MS) this.tell(entry, words, at, now);
      return;
    }
    if (now - this.told[oldest] >= INTERVAL_MS) this.tell(oldest, words, at, now);
  }

  private isAt(entry: number, words: Int32Array, at: number): boolean {
    if (this.told[entry] === Number.NEGATIVE_INFINITY) return false;
    for (let i = 0; i < 4; i++) if (this.words[entry * 4 + i] !== words[at + i]) return false;
    return true;
  }

  private tell(entry: number, words: Int32Array, at: number, now: number): void {
    for (let i = 0; i < 4; i++) this.words[entry * 4 + i] = words[at + i];
    this.told[entry] = now;
    this.listener(words, at);
  }
}
