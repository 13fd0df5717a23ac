// Which datagrams may still be appended to which bundle. That what comes of it is right on the wire is bundler.test.ts's.
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { MAX_DATAGRAMS, MAX_OCTETS, OpenBundles } from '../../../../src/dataplane/tunnel/open-bundles.js';
import * as vxlan from '../../../../src/wire/vxlan.js';
import { type Destination, datagram, PEER, TunnelBench, VNI } from './tunnel-bench.js';

const HASH = 0x1234_5678;
const FRAME = 100;
const SIZE = vxlan.HEADER_LENGTH + FRAME;

let bench: TunnelBench;
let open: OpenBundles;
let place: number;

/** A slot that holds one datagram of a flow, on its way to `to`. */
function first(size = SIZE, hash = HASH, to: Destination = PEER): number {
  const slot = bench.slot(datagram(new Uint8Array(size - vxlan.HEADER_LENGTH)), {}, to);
  bench.pool.info[slot] = hash;
  return slot;
}

/** The packet that a datagram would be put around. */
const next = (to: Destination = PEER): number => bench.slot(new Uint8Array(FRAME), {}, to);

beforeEach(() => {
  bench = new TunnelBench();
  open = new OpenBundles(bench.pool);
  place = open.placeOf(HASH);
});

describe('OpenBundles', () => {
  it('has one of eight places for every hash, by all of its bits', () => {
    fc.assert(
      fc.property(fc.integer(), (hash) => {
        const place = open.placeOf(hash);
        expect(place).toBe(open.placeOf(hash));
        expect(place).toBe(place & 7);
      }),
    );
    const bits = [0, 1, 2, 11, 12, 13, 22, 23, 24];
    expect(bits.map((bit) => open.placeOf(1 << bit))).toEqual([1, 2, 4, 1, 2, 4, 1, 2, 4]);
  });

  it('takes nothing where nothing is open, or what was is closed or forgotten', () => {
    const slot = next();
    expect(open.takes(place, slot, SIZE, VNI, HASH)).toBe(false);
    const bundle = first();
    for (const end of [() => open.close(place), () => open.forget()]) {
      open.open(place, bundle);
      expect(open.at(place)).toBe(bundle);
      expect(open.takes(place, slot, SIZE, VNI, HASH)).toBe(true);
      end();
      expect(open.takes(place, slot, SIZE, VNI, HASH)).toBe(false);
    }
  });

  it('takes what is of the same flow and network, to the same other end, and no longer', () => {
    open.open(place, first());
    const takes = (slot: number, length = SIZE, vni = VNI, hash = HASH) =>
      open.takes(place, slot, length, vni, hash);
    expect([takes(next()), takes(next(), SIZE - 1), takes(next(), SIZE + 1)]).toEqual([true, true, false]);
    expect(takes(next(), SIZE, VNI + 1)).toBe(false);
    // Another flow that has the same place.
    expect(open.placeOf(HASH ^ 8)).toBe(place);
    expect(takes(next(), SIZE, VNI, HASH ^ 8)).toBe(false);
    expect(takes(next({ ...PEER, egress: PEER.egress + 1 }))).toBe(false);
    expect(takes(next({ ...PEER, remotePort: PEER.remotePort + 1 }))).toBe(false);
    for (let word = 0; word < 4; word++) {
      const remote = PEER.remote.map((value, at) => (at === word ? value + 1 : value));
      expect(takes(next({ ...PEER, remote }))).toBe(false);
    }
  });

  it('says how long each datagram of a bundle is, and ends it with a shorter one', () => {
    const bundle = first();
    const { pool } = bench;
    open.open(place, bundle);
    open.appended(place, SIZE);
    expect([pool.gsoSize[bundle], pool.length[bundle]]).toEqual([SIZE, 2 * SIZE]);
    expect(open.takes(place, next(), SIZE + 1, VNI, HASH)).toBe(false);
    expect(open.takes(place, next(), SIZE, VNI, HASH)).toBe(true);
    open.appended(place, SIZE - 10);
    expect([pool.gsoSize[bundle], pool.length[bundle]]).toEqual([SIZE, 3 * SIZE - 10]);
    expect(open.takes(place, next(), SIZE - 10, VNI, HASH)).toBe(false);
  });

  /** How many datagrams of a size are in a bundle when it takes no more. */
  function filled(size: number): number {
    open.open(place, first(size));
    const slot = next();
    let count = 1;
    for (; open.takes(place, slot, size, VNI, HASH); count++) open.appended(place, size);
    return count;
  }

  it('takes as many datagrams, and as many octets, as one send does', () => {
    expect(filled(SIZE)).toBe(MAX_DATAGRAMS);
    expect(filled(1458)).toBe(Math.floor(MAX_OCTETS / 1458));
    expect(filled(MAX_OCTETS / 10)).toBe(10);
  });

  it('takes no more than the slot has room for behind the packet', () => {
    const bundle = first();
    open.open(place, bundle);
    const { pool } = bench;
    pool.at[bundle] = pool.end(bundle) - 2 * SIZE;
    pool.bytes.set(datagram(new Uint8Array(FRAME)), pool.at[bundle]);
    expect(open.takes(place, next(), SIZE, VNI, HASH)).toBe(true);
    open.appended(place, SIZE);
    expect(open.takes(place, next(), 1, VNI, HASH)).toBe(false);
  });

  it('keeps the flows of all places apart', () => {
    const flows = Array.from({ length: 8 }, (_, hash) => ({ hash, slot: first(SIZE, hash) }));
    for (const { hash, slot } of flows) open.open(open.placeOf(hash), slot);
    for (const { hash, slot } of flows) {
      expect(open.at(open.placeOf(hash))).toBe(slot);
      expect(open.takes(open.placeOf(hash), next(), SIZE, VNI, hash)).toBe(true);
      expect(open.takes(open.placeOf(hash), next(), SIZE, VNI, hash ^ 1)).toBe(false);
    }
  });
});
