/**
 * The short way (elements/express.ts) beside the long one: two engines that differ in nothing else get the same packets,
 * those of the golden cases and changes of them. One at a time, they must send the same octets with the same offload
 * facts, and count the same. In bursts, too, but for the order among different flows and how many share a datagram bundle.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OffloadFacts } from '../../src/dataplane/devices/memory.js';
import type { Engine } from '../../src/dataplane/engine.js';
import { ENGINE } from '../../src/dataplane/flows/flow-memory.js';
import { PACKET } from '../../src/dataplane/pool.js';
import { compileTables } from '../../src/dataplane/tables.js';
import { EngineHarness, type HarnessPacket } from '../support/engine-harness.js';
import { innerFrames } from '../support/fuzz-datagrams.js';
import {
  type FuzzCase,
  type FuzzPacket,
  type FuzzRound,
  fuzzCases,
  goldenInputs,
} from '../support/fuzz-packets.js';
import { FUZZ_TIMEOUT, fuzz } from '../support/fuzz-run.js';
import {
  FUZZ_OFFLOADS,
  FUZZ_PORTS,
  FUZZ_TUNNEL,
  fuzzPolicies,
  fuzzSnapshot,
  limitedFuzzSnapshot,
  policedFuzzSnapshot,
} from '../support/fuzz-world.js';
import { repairChecksums } from '../support/packet-repair.js';

const golden = await goldenInputs();
const TABLES = [true, false].map((isLarge) => compileTables(fuzzSnapshot(isLarge)));
const POLICED = [true, false].map((isLarge) => compileTables(policedFuzzSnapshot(isLarge)));
const LIMITED = [true, false].map((isLarge) => compileTables(limitedFuzzSnapshot(isLarge)));

type Sent = Map<number, HarnessPacket[]>;

class Pair {
  readonly short = make(true);
  private readonly long = make(false);
  private swaps = 0;

  constructor(
    private readonly tables = TABLES,
    private readonly isPoliced = false,
  ) {
    for (const { engine } of [this.short, this.long]) this.swap(engine);
  }

  private swap(engine: Engine): void {
    engine.swap(this.tables[this.swaps % 2]);
    if (this.isPoliced) engine.changePolicies(fuzzPolicies(this.swaps, 1000 + this.swaps));
  }

  /** What both send of the same. */
  send(packets: readonly FuzzPacket[]): [Sent, Sent] {
    const sent = [this.short, this.long].map((harness): Sent => {
      for (const { port, bytes, facts, remote } of packets) harness.inject(port, bytes, facts, remote);
      harness.run();
      harness.expectAtRest();
      return new Map([...harness.devices].map(([port, device]) => [port, device.take()]));
    });
    return [sent[0], sent[1]];
  }

  begin({ wait, swap }: FuzzRound): void {
    if (swap) this.swaps++;
    for (const harness of [this.short, this.long]) {
      harness.now += wait;
      if (swap) this.swap(harness.engine);
    }
  }

  counts(): unknown[] {
    return [this.short, this.long].map((harness) => ({ ...harness.totals(), drops: harness.dropsByPort() }));
  }

  flows(): unknown[] {
    return [this.short, this.long].map(({ engine }) => {
      const { flows } = engine.context;
      return { size: flows.size, opened: flows.count(ENGINE.OPENED), expired: flows.count(ENGINE.EXPIRED) };
    });
  }

  drops(): unknown[] {
    return [this.short, this.long].map((harness) => harness.dropsByPort());
  }

  get expressPackets(): number {
    return this.short.engine.counters.cycleCounter('expressPackets');
  }
}

function make(express: boolean): EngineHarness {
  return new EngineHarness(fuzzSnapshot(true), { slots: 256, offloads: FUZZ_OFFLOADS, express });
}

/** Where a sum that is complete was once to be stored says nothing. */
function meaningful(facts: OffloadFacts): Partial<OffloadFacts> {
  const { flags, gsoType, gsoSize } = facts;
  return (flags & PACKET.PARTIAL_CHECKSUM) === 0 ? { flags, gsoType, gsoSize } : facts;
}

/** Those of them that go the short way as they are. */
function common(packets: readonly FuzzPacket[]): FuzzPacket[] {
  const pair = new Pair();
  return packets.filter((packet) => {
    const before = pair.expressPackets;
    pair.send([packet]);
    return pair.expressPackets > before;
  });
}

/** One for each protocol and port: to a pod, through the router, to a peer, whole and to be cut. */
function distinct(packets: readonly FuzzPacket[]): FuzzPacket[] {
  const kinds = packets.map((packet): [string, FuzzPacket] => {
    const { port, bytes, facts } = packet;
    return [`${port} ${bytes[23]} ${bytes[30]} ${bytes[31]} ${facts.gsoType}`, packet];
  });
  return [...new Map(kinds).values()].slice(0, 12);
}

/** Half of the packets begin as common ones, so that changes of them are what is looked at. */
function mixed(): fc.Arbitrary<FuzzCase> {
  const port = fc.constantFrom(...FUZZ_PORTS);
  return fc.oneof(fuzzCases(golden, port), fuzzCases(common(golden), port));
}

/** Frames by port, those in bundles one by one, with the facts that a device gets. */
function framesOf(sent: Sent): [number, string[]][] {
  return [...sent].map(([port, packets]) => [
    port,
    packets.flatMap(({ bytes, remote, ...facts }) => {
      if (port !== FUZZ_TUNNEL)
        return [`${Buffer.from(bytes).toString('hex')} ${JSON.stringify(meaningful(facts))}`];
      const frames = innerFrames({ bytes, facts });
      return frames.map((frame) => `${Buffer.from(frame).toString('hex')} ${remote}`);
    }),
  ]);
}

function sorted(frames: [number, string[]][]): [number, string[]][] {
  return frames.map(([port, texts]) => [port, [...texts].sort()]);
}

/** Every octet of the headers at its limits, one after the other, with checksums left and made right again. */
const HEADERS = 14 + 20 + 20;
const LIMITS = [0, 1, 2, 0x0f, 0x45, 0x7f, 0x80, 0xa9, 0xe0, 0xf0, 0xff];

function* sweep(packet: FuzzPacket): Generator<FuzzPacket> {
  for (let at = 0; at < Math.min(HEADERS, packet.bytes.length); at++) {
    for (const value of LIMITS) {
      const bytes = packet.bytes.slice();
      bytes[at] = value;
      yield { ...packet, bytes };
      const repaired = bytes.slice();
      repairChecksums(repaired);
      yield { ...packet, bytes: repaired };
    }
  }
}

describe('the short way beside the long one', () => {
  it(
    'sends the same octets for each packet, and counts the same',
    () => {
      const pair = new Pair();
      let packets = 0;
      const check = ({ rounds }: FuzzCase): void => {
        for (const round of rounds) {
          pair.begin(round);
          for (const packet of round.packets) {
            const [short, long] = pair.send([packet]);
            expect(framesOf(short)).toEqual(framesOf(long));
            packets++;
          }
        }
        const [short, long] = pair.counts();
        expect(short).toEqual(long);
      };
      fuzz('express, one by one', mixed(), check, { budget: 2000 });
      // It is no comparison where hardly anything goes the short way.
      expect(pair.expressPackets).toBeGreaterThan(packets / 20);
    },
    FUZZ_TIMEOUT,
  );

  it(
    'sends the same octets where ports have limits, at the same times',
    () => {
      const pair = new Pair(LIMITED);
      const check = ({ rounds }: FuzzCase): void => {
        for (const round of rounds) {
          pair.begin({ ...round, wait: Math.min(round.wait, 20) });
          for (const packet of round.packets) {
            const [short, long] = pair.send([packet]);
            expect(framesOf(short)).toEqual(framesOf(long));
          }
        }
        const [short, long] = pair.counts();
        expect(short).toEqual(long);
      };
      fuzz('express with limits', mixed(), check, { budget: 1500 });
      expect(pair.short.engine.counters.total('dropped')).toBeGreaterThan(0);
    },
    FUZZ_TIMEOUT,
  );

  it(
    'sends the same octets where policies ask, and follows the same connections',
    () => {
      const pair = new Pair(POLICED, true);
      const check = ({ rounds }: FuzzCase): void => {
        for (const round of rounds) {
          pair.begin(round);
          // Twice: of a connection only what comes after its first packet goes the short way.
          for (const packet of [...round.packets, ...round.packets]) {
            const [short, long] = pair.send([packet]);
            expect(framesOf(short)).toEqual(framesOf(long));
          }
        }
        const [short, long] = pair.counts();
        expect(short).toEqual(long);
        const [flows, same] = pair.flows();
        expect(flows).toEqual(same);
      };
      fuzz('express with policies', mixed(), check, { budget: 1500 });
      // Of connections that go on, the short way has something to do.
      const again = new Pair(POLICED, true);
      for (const packet of common(golden)) for (let i = 0; i < 2; i++) again.send([packet]);
      expect(again.expressPackets).toBeGreaterThan(0);
    },
    FUZZ_TIMEOUT,
  );

  it(
    'sends the same packets in bursts, and drops the same',
    () => {
      const pair = new Pair();
      const check = ({ rounds }: FuzzCase): void => {
        for (const round of rounds) {
          pair.begin(round);
          const [short, long] = pair.send(round.packets);
          expect(sorted(framesOf(short))).toEqual(sorted(framesOf(long)));
          const [a, b] = pair.drops();
          expect(a).toEqual(b);
        }
      };
      fuzz('express, in bursts', mixed(), check, { budget: 1500 });
      expect(pair.expressPackets).toBeGreaterThan(0);
    },
    FUZZ_TIMEOUT,
  );

  it(
    'keeps to every limit of every header field',
    () => {
      const packets = distinct(common(golden));
      expect(packets.length).toBeGreaterThanOrEqual(3);
      const pair = new Pair();
      for (const packet of packets) {
        for (const changed of sweep(packet)) {
          const [short, long] = pair.send([changed]);
          expect(framesOf(short)).toEqual(framesOf(long));
        }
        const [short, long] = pair.counts();
        expect(short).toEqual(long);
      }
    },
    FUZZ_TIMEOUT,
  );
});
