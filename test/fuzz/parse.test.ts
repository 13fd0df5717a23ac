/**
 * Packets at the very end of the memory: whoever reads beyond the packet reads beyond the memory, which is a
 * RangeError. The parser, and every element that only looks at a packet or changes it where it is.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Batch } from '../../src/dataplane/batch.js';
import { MAX_FRAME } from '../../src/dataplane/constants.js';
import { Counters } from '../../src/dataplane/counters.js';
import { Context, type Element } from '../../src/dataplane/element.js';
import { ArpResponder } from '../../src/dataplane/elements/arp-responder.js';
import { Attachment } from '../../src/dataplane/elements/attachment.js';
import { ClampMss } from '../../src/dataplane/elements/clamp-mss.js';
import { Classify } from '../../src/dataplane/elements/classify.js';
import { Decapsulate } from '../../src/dataplane/elements/decapsulate.js';
import { DecrementTtl } from '../../src/dataplane/elements/decrement-ttl.js';
import { Forward } from '../../src/dataplane/elements/forward.js';
import { MtuCheck } from '../../src/dataplane/elements/mtu-check.js';
import { NextHop } from '../../src/dataplane/elements/next-hop.js';
import { Parse } from '../../src/dataplane/elements/parse.js';
import { RouteInput } from '../../src/dataplane/elements/route-input.js';
import { RouteLookup } from '../../src/dataplane/elements/route-lookup.js';
import { SourceGuard } from '../../src/dataplane/elements/source-guard.js';
import { Learned } from '../../src/dataplane/learned.js';
import { checkDiscovery } from '../../src/dataplane/neighbour-discovery.js';
import { PacketPool } from '../../src/dataplane/pool.js';
import { Segmenter } from '../../src/dataplane/segmenter.js';
import { mappedWords } from '../../src/dataplane/tables/peer-table.js';
import { compileTables, Tables } from '../../src/dataplane/tables.js';
import { isTransportSound } from '../../src/dataplane/transport-checksum.js';
import { parseIp } from '../../src/wire/address.js';
import { wasmChecksum } from '../../src/wire/checksum-kernel.js';
import { type FuzzPacket, fuzzPackets, goldenInputs } from '../support/fuzz-packets.js';
import { FUZZ_TIMEOUT, fuzz } from '../support/fuzz-run.js';
import { FUZZ_PEERS, FUZZ_PORTS, FUZZ_TUNNEL, fuzzSnapshot } from '../support/fuzz-world.js';

const golden = await goldenInputs();

class LastPacket {
  private readonly pool = new PacketPool(1);
  private readonly context: Context;
  private readonly elements: readonly Element[];
  private readonly batches: Batch[] = [];
  private readonly discovery = this.batch();
  private readonly local = this.batch();
  private readonly datagrams = this.batch();
  private readonly done = this.batch();
  private readonly segmenter: Segmenter;

  constructor() {
    const { pool } = this;
    const counters = new Counters();
    const checksum = wasmChecksum(pool.memory);
    const tables = Tables.from(compileTables(fuzzSnapshot(true)));
    this.context = new Context(pool, checksum, counters, new Learned(counters, 1), tables);
    this.segmenter = new Segmenter(pool, checksum, counters);
    this.elements = this.wire();
  }

  /** Takes the packet as far as it goes, and gives its slot back. */
  run({ port, bytes, facts, remote }: FuzzPacket): void {
    const { pool, elements, datagrams } = this;
    const isDatagram = port === FUZZ_TUNNEL;
    const slot = pool.take();
    pool.at[slot] = pool.bytes.length - bytes.length;
    pool.bytes.set(bytes, pool.at[slot]);
    pool.reset(slot, bytes.length, port);
    pool.flags[slot] = facts.flags;
    pool.gsoType[slot] = facts.gsoType;
    pool.gsoSize[slot] = isDatagram ? 0 : facts.gsoSize;
    const [address] = (remote ?? FUZZ_PEERS[0]).split(' ');
    pool.remote.set(mappedWords(parseIp(address)), slot * 4);
    pool.checksumStart[slot] = facts.checksumStart;
    pool.checksumOffset[slot] = facts.checksumOffset;
    (isDatagram ? datagrams : elements[1].input).push(slot);
    for (const element of elements) {
      element.process(element.input);
      element.input.clear();
    }
    this.finish();
    for (const batch of this.batches) batch.clear();
    expect(pool.free).toBe(1);
  }

  /** What the elements that take a packet last would read of it. */
  private finish(): void {
    const { pool, discovery, local, done, context } = this;
    if (discovery.count > 0) checkDiscovery(pool, discovery.slots[0]);
    if (local.count > 0 && pool.l4[local.slots[0]] !== 0)
      isTransportSound(pool, context.checksum, local.slots[0]);
    if (done.count > 0) this.segmenter.completeChecksum(done.slots[0]);
    for (const batch of [discovery, local, done]) if (batch.count > 0) pool.release(batch.slots[0]);
  }

  private batch(): Batch {
    const batch = new Batch(1);
    this.batches.push(batch);
    return batch;
  }

  private wire(): Element[] {
    const { context, discovery, local, done } = this;
    const [input, guard, attachment, classify, arp, forward] = Array.from({ length: 6 }, () => this.batch());
    const [route, lookup, ttl, nextHop, mtu, fromPeer, toPeer] = Array.from({ length: 7 }, () =>
      this.batch(),
    );
    const whole = { split: (slot: number) => this.pool.release(slot) };
    return [
      new Decapsulate(context, this.datagrams, { routed: fromPeer, bridged: forward }, whole),
      new Parse(context, input, guard),
      new SourceGuard(context, guard, attachment),
      new Attachment(context, attachment, { domain: classify, direct: done }),
      new Classify(context, classify, { arp, discovery, route, forward }, { isKnown: () => false }),
      new ArpResponder(context, arp, { answer: done, forward }),
      new Forward(context, forward, { known: done, peer: done, flood: done }),
      new ClampMss(context, fromPeer, route),
      new RouteInput(context, route, { ok: lookup, local }),
      new RouteLookup(context, lookup, {
        services: done,
        forward: ttl,
        local,
        noRoute: done,
        unreachable: done,
        apart: done,
      }),
      new DecrementTtl(context, ttl, { ok: nextHop, expired: done }),
      new NextHop(context, nextHop, { ok: mtu, peer: toPeer, unknown: done }),
      new ClampMss(context, toPeer, mtu),
      new MtuCheck(context, mtu, { ok: done, fragment: done, tooBig: done }),
    ];
  }
}

describe('fuzzing the parser', () => {
  it(
    'reads nothing beyond a packet',
    () => {
      const last = new LastPacket();
      const packets = fuzzPackets(golden, fc.constantFrom(...FUZZ_PORTS)).filter(
        ({ bytes }) => bytes.length <= MAX_FRAME + 1,
      );
      fuzz('last packet', packets, (packet) => last.run(packet), { budget: 1000 });
    },
    FUZZ_TIMEOUT,
  );

  it('reads nothing beyond any cut of a golden packet', () => {
    const last = new LastPacket();
    for (const packet of golden) {
      const longest = Math.min(packet.bytes.length, 200);
      for (let length = 0; length <= longest; length++) {
        last.run({ ...packet, bytes: packet.bytes.subarray(0, length) });
      }
    }
  });
});
