/**
 * The reference loop: fixed work that says how fast this machine is just now. Costs of `engine.*` are compared
 * between machines and days as multiples of its time (guard.ts).
 *
 * NEVER change it: what is in baseline.json would mean nothing any more.
 *
 * One call walks 4,096 steps through 64 KiB of int32, each step a load whose address depends on the last, a hash
 * in integer arithmetic, and a store. So it asks what forwarding asks: the first-level caches and the integer units.
 */
const WORDS = 16_384;
export const REFERENCE_STEPS = 4096;

export class ReferenceLoop {
  private readonly words = new Int32Array(WORDS);
  private state = 1;

  constructor() {
    for (let i = 0; i < WORDS; i++) this.words[i] = Math.imul(i + 1, 0x9e37_79b1);
  }

  /** Returns what it computed, so that nobody can leave it out. */
  run(): number {
    const { words } = this;
    let { state } = this;
    for (let step = 0; step < REFERENCE_STEPS; step++) {
      const at = (state ^ (state >>> 15)) & (WORDS - 1);
      const word = words[at];
      state = Math.imul(state ^ word, 0x85eb_ca6b) + step;
      state ^= state >>> 13;
      words[(at + 1) & (WORDS - 1)] = word + 1;
    }
    this.state = state;
    return state;
  }
}
