/**
 * Traffic for benchmarks that run in memory: frames in one piece, with an index.
 *
 * A frame costs its octets and 8 of index, and going through a million of them allocates nothing. Where frames come
 * from: captures.ts reads what real programs sent, mix.ts makes as many flows as are wanted out of such packets.
 */
export interface Traffic {
  readonly name: string;
  /** All frames, one after the other, from the Ethernet header on and without FCS. */
  readonly bytes: Uint8Array;
  /** Where each frame begins in `bytes`. */
  readonly offsets: Uint32Array;
  /** Octets of each frame. */
  readonly lengths: Uint32Array;
  /** How many frames there are: the length of both arrays. */
  readonly count: number;
}

/** The frame of that number; a view, no copy. Allocates: not for what is timed. */
export function frameOf(traffic: Traffic, index: number): Uint8Array {
  const at = traffic.offsets[index];
  return traffic.bytes.subarray(at, at + traffic.lengths[index]);
}

/** Octets that all of these frames take, and where each begins, when they lie one after the other. */
export function layOut(lengths: Uint32Array): { readonly offsets: Uint32Array; readonly size: number } {
  const offsets = new Uint32Array(lengths.length);
  let size = 0;
  for (let i = 0; i < lengths.length; i++) {
    offsets[i] = size;
    size += lengths[i];
  }
  if (size > 2 ** 32)
    throw new Error(`${lengths.length} frames have ${size} octets, more than 4 GiB: make fewer`);
  return { offsets, size };
}
