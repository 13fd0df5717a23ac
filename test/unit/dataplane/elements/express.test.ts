// What the comparison of test/fuzz/express.test.ts cannot show: with a route for everything, nothing but the checks
// themselves keeps an address that no packet may have from being forwarded; and order, where some take the long way.
import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../../../../src/dataplane/snapshot.js';
import * as ipv4 from '../../../../src/wire/ipv4.js';
import { EngineHarness } from '../../../support/engine-harness.js';
import { innerFrames } from '../../../support/fuzz-datagrams.js';
import { FUZZ_TUNNEL, fuzzSnapshot } from '../../../support/fuzz-world.js';
import { bytes } from '../router-fixture.js';

const WORLD = fuzzSnapshot(true);
const SNAPSHOT: Snapshot = {
  ...WORLD,
  routes: [
    ...WORLD.routes.filter(({ prefix }) => prefix !== '0.0.0.0/0'),
    { table: 0, prefix: '0.0.0.0/0', kind: 'peer', peer: 1 },
  ],
};

// scapy: Ether(src='02:00:00:00:00:01',dst='02:00:00:00:ff:01')/IP(src='10.1.0.11',dst='203.0.113.7')/
//        UDP(sport=1,dport=2,chksum=0)/b'data'
const FRAME = bytes(
  '02000000ff0102000000000108004500002000010000401134b90a01000bcb00710700010002000c000064617461',
);

/** To `address`, with an identification and a checksum of its own. */
function frame(address: number, id = 1, flags = 0): Uint8Array {
  const copy = FRAME.slice();
  const view = new DataView(copy.buffer);
  ipv4.setId(view, 14, id);
  ipv4.setFragment(view, 14, flags, 0);
  ipv4.setDst(view, 14, address);
  ipv4.writeChecksum(view, 14, 20);
  return copy;
}

const SOMEWHERE = 0xcb00_7107;

function idsAtPeer(harness: EngineHarness): number[] {
  const sent = harness.take(FUZZ_TUNNEL).filter(({ bytes }) => bytes.length < 200);
  return sent
    .flatMap(({ bytes, remote: _, ...facts }) => innerFrames({ bytes, facts }))
    .filter((inner) => inner[23] === 17)
    .map((inner) => (inner[18] << 8) | inner[19]);
}

describe('express', () => {
  it('takes what is common', () => {
    const harness = new EngineHarness(SNAPSHOT);
    harness.inject(1, frame(SOMEWHERE));
    harness.run();
    expect(idsAtPeer(harness)).toEqual([1]);
    expect(harness.engine.counters.cycleCounter('expressPackets')).toBe(1);
  });

  it.each([
    ['martian', 0x0000_0001],
    ['martian', 0x7f00_0001],
    ['not-forwardable', 0xe000_0001],
    ['martian', 0xf000_0001],
    ['not-forwardable', 0xffff_ffff],
    ['not-forwardable', 0xa9fe_0101],
  ] as const)('leaves what must be dropped as %s to the long way', (reason, address) => {
    const harness = new EngineHarness(SNAPSHOT);
    harness.inject(1, frame(address));
    harness.run();
    expect(harness.drops(1, reason)).toBe(1);
    expect(idsAtPeer(harness)).toEqual([]);
    expect(harness.engine.counters.cycleCounter('expressPackets')).toBe(0);
  });

  it('keeps the order of a port’s packets where one of them goes the long way', () => {
    const harness = new EngineHarness(SNAPSHOT);
    const ids = [1, 2, 3, 4, 5, 6];
    for (const id of ids) harness.inject(1, frame(SOMEWHERE, id, id === 3 ? ipv4.FLAG.MORE_FRAGMENTS : 0));
    harness.run();
    expect(idsAtPeer(harness)).toEqual(ids);
    expect(harness.engine.counters.cycleCounter('expressPackets')).toBe(2);
  });

  it('does not hold up another port for that', () => {
    const harness = new EngineHarness(SNAPSHOT);
    harness.inject(1, frame(SOMEWHERE, 1, ipv4.FLAG.MORE_FRAGMENTS));
    const other = frame(0x0a01_000b, 2);
    const view = new DataView(other.buffer);
    view.setUint8(5, 1);
    view.setUint8(11, 2);
    view.setUint16(0, 0x0200);
    view.setUint32(2, 1);
    ipv4.setSrc(view, 14, 0x0a01_000c);
    ipv4.writeChecksum(view, 14, 20);
    harness.inject(2, other);
    harness.run();
    expect(harness.take(1)).toHaveLength(1);
    expect(harness.engine.counters.cycleCounter('expressPackets')).toBe(1);
  });
});
