/** What fuzzing feeds: packets of the golden cases, changed in every way, and noise. */
import fc from 'fast-check';
import { MAX_FRAME } from '../../src/dataplane/constants.js';
import type { OffloadFacts } from '../../src/dataplane/devices/memory.js';
import { fuzzDatagrams } from './fuzz-datagrams.js';
import { type GoldenPacket, goldenNames, loadGolden } from './golden-case.js';
import { repairChecksums } from './packet-repair.js';

export interface FuzzPacket extends GoldenPacket {
  readonly port: number;
}

export interface FuzzRound {
  /** Milliseconds that pass before it. */
  readonly wait: number;
  /** Whether the other snapshot comes into force before it. */
  readonly swap: boolean;
  readonly packets: readonly FuzzPacket[];
}

export interface FuzzCase {
  readonly rounds: readonly FuzzRound[];
}

/** Every packet that goes into a golden case, with the port that it goes in at. */
export async function goldenInputs(): Promise<FuzzPacket[]> {
  const cases = await Promise.all(goldenNames().map(loadGolden));
  return cases.flatMap(({ steps }) =>
    steps.flatMap(({ inputs }) =>
      [...inputs].flatMap(([port, packets]) => packets.map((packet) => ({ ...packet, port }))),
    ),
  );
}

const NO_FACTS: OffloadFacts = { flags: 0, gsoType: 0, gsoSize: 0, checksumStart: 0, checksumOffset: 0 };

const smallOffset = fc.oneof(fc.nat(80), fc.nat(0xffff));

/** What a device can say: of the flags only the two that virtio's header has. */
const anyFacts: fc.Arbitrary<OffloadFacts> = fc.record({
  flags: fc.nat(3),
  gsoType: fc.oneof(fc.constantFrom(0, 1, 3, 4, 5, 0x81, 0x84), fc.nat(255)),
  gsoSize: fc.oneof(fc.constantFrom(0, 47, 48, 536, 1448, 9000), fc.nat(0xffff)),
  checksumStart: smallOffset,
  checksumOffset: smallOffset,
});

/** Lengths around every boundary that there is. */
const anyLength = fc.oneof(
  fc.nat(200),
  fc.constantFrom(1280, 1294, 1514, 1515, 9014, 65_535, 65_549, MAX_FRAME, MAX_FRAME + 1),
  fc.nat(MAX_FRAME),
);

interface Mutation {
  readonly kind: 'set' | 'flip' | 'word' | 'cut' | 'extend' | 'insert' | 'remove';
  readonly at: number;
  readonly value: number;
}

const anyMutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom('set', 'flip', 'word', 'cut', 'extend', 'insert', 'remove'),
  at: fc.oneof(fc.nat(70), fc.nat(200), fc.nat(0xffff)),
  value: fc.oneof(fc.constantFrom(0, 1, 0x7fff, 0x8000, 0xffff), fc.nat(0xffff)),
});

function mutate(bytes: Uint8Array, { kind, at, value }: Mutation): Uint8Array {
  const place = bytes.length === 0 ? 0 : at % bytes.length;
  const out = bytes.slice();
  switch (kind) {
    case 'set':
      out[place] = value;
      return out;
    case 'flip':
      out[place] ^= 1 << (value & 7);
      return out;
    case 'word':
      out[place] = value >> 8;
      out[place + 1] = value;
      return out;
    case 'cut':
      return out.subarray(0, at);
    case 'extend':
      return join(out, new Uint8Array(at % 1600).fill(value));
    case 'insert':
      return join(out.subarray(0, place), new Uint8Array(value & 15).fill(at), out.subarray(place));
    default:
      return join(out.subarray(0, place), out.subarray(place + (value & 15)));
  }
}

function join(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

/** A golden packet, itself or changed; its checksums made right again or not. */
function changed(golden: readonly FuzzPacket[], port: fc.Arbitrary<number>): fc.Arbitrary<FuzzPacket> {
  const parts = fc.tuple(
    fc.nat(golden.length - 1),
    fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: port }),
    fc.array(anyMutation, { maxLength: 4 }),
    fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: anyFacts }),
    fc.boolean(),
  );
  return parts.map(([index, otherPort, mutations, facts, isRepaired]) => {
    const packet = golden[index];
    const bytes = mutations.reduce(mutate, packet.bytes).slice(0, MAX_FRAME + 1);
    const isFinished = (facts ?? packet.facts).flags === 0;
    const inner = packet.remote === undefined ? bytes : bytes.subarray(Math.min(8, bytes.length));
    if (isRepaired && isFinished && mutations.length > 0) repairChecksums(inner);
    return { ...packet, port: otherPort ?? packet.port, bytes, facts: facts ?? packet.facts };
  });
}

/** Noise: a few octets given, the rest a run of one octet, of any length. */
function noise(port: fc.Arbitrary<number>): fc.Arbitrary<FuzzPacket> {
  const parts = fc.tuple(
    port,
    fc.uint8Array({ maxLength: 100 }),
    anyLength,
    fc.nat(255),
    fc.option(anyFacts, { nil: NO_FACTS }),
  );
  return parts.map(([from, head, length, fill, facts]) => {
    const bytes = new Uint8Array(length).fill(fill);
    bytes.set(head.subarray(0, length));
    return { port: from, bytes, facts };
  });
}

export function fuzzPackets(
  golden: readonly FuzzPacket[],
  port: fc.Arbitrary<number>,
): fc.Arbitrary<FuzzPacket> {
  const frames = changed(golden, port);
  return fc.oneof(
    { weight: 6, arbitrary: frames },
    { weight: 1, arbitrary: noise(port) },
    { weight: 1, arbitrary: fuzzDatagrams(frames) },
  );
}

export function fuzzCases(golden: readonly FuzzPacket[], port: fc.Arbitrary<number>): fc.Arbitrary<FuzzCase> {
  const round = fc.record({
    wait: fc.oneof(fc.nat(100), fc.constantFrom(0, 30_000, 60_000, 300_000)),
    swap: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    packets: fc.array(fuzzPackets(golden, port), { minLength: 1, maxLength: 40, size: 'max' }),
  });
  return fc.record({ rounds: fc.array(round, { minLength: 1, maxLength: 4, size: 'max' }) });
}
