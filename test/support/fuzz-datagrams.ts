/**
 * Datagrams that fuzzing feeds to the tunnel's port: those of the golden cases, frames of other ports with a VXLAN
 * header before them, and several behind one another as the kernel joins them, from peers and from strangers.
 */
import fc from 'fast-check';
import { FUZZ_PEERS, FUZZ_TUNNEL, FUZZ_VNIS } from './fuzz-world.js';
import type { GoldenPacket } from './golden-case.js';

const HEADER = 8;

/** Where a datagram comes from: mostly from a peer. */
export const anyRemote: fc.Arbitrary<string> = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...FUZZ_PEERS) },
  { weight: 1, arbitrary: fc.constantFrom('192.0.2.1 4789', 'fd77::99 4789', ':: 0') },
);

/** The inner frames of a datagram, or of several in one slot, as a packet of their own each. */
export function innerFrames({ bytes, facts: { gsoSize } }: GoldenPacket): Uint8Array[] {
  const size = gsoSize > 0 ? gsoSize : Math.max(1, bytes.length);
  const count = Math.ceil(bytes.length / size);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * size + HEADER, (i + 1) * size));
}

/** A frame in VXLAN. */
export function encapsulated(frame: Uint8Array, vni: number): Uint8Array {
  const out = new Uint8Array(HEADER + frame.length);
  out[0] = 0x08;
  new DataView(out.buffer).setUint32(4, vni << 8);
  out.set(frame, HEADER);
  return out;
}

/** Datagrams around what `frames` makes, one or several of the first one's length, the last of which may be shorter. */
export function fuzzDatagrams(
  frames: fc.Arbitrary<GoldenPacket>,
): fc.Arbitrary<GoldenPacket & { readonly port: number }> {
  const parts = fc.tuple(
    fc.array(fc.tuple(frames, fc.constantFrom(...FUZZ_VNIS)), { minLength: 1, maxLength: 5 }),
    anyRemote,
    fc.nat(40),
  );
  return parts.map(([inner, remote, cut]) => {
    const datagrams = inner.map(([{ bytes, remote: outer }, vni]) =>
      outer === undefined ? encapsulated(bytes.subarray(0, 9000), vni) : bytes.subarray(0, 9000),
    );
    const size = Math.max(1, datagrams[0].length);
    const whole = datagrams.map((datagram) =>
      Buffer.concat([datagram, Buffer.alloc(size)]).subarray(0, size),
    );
    const bytes = Uint8Array.from(Buffer.concat(whole));
    const facts = { flags: 0, gsoType: 0, gsoSize: size, checksumStart: 0, checksumOffset: 0 };
    return { port: FUZZ_TUNNEL, bytes: bytes.subarray(0, Math.max(1, bytes.length - cut)), facts, remote };
  });
}
