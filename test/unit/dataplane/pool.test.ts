import { describe, expect, it } from 'vitest';
import { FRAME_START, HEADROOM, MAX_FRAME, SLOT_SIZE } from '../../../src/dataplane/constants.js';
import { KIND, PACKET, PacketPool } from '../../../src/dataplane/pool.js';

describe('PacketPool', () => {
  it('hands out each slot once, and -1 when all are gone', () => {
    const pool = new PacketPool(3);
    const slots = [pool.take(), pool.take(), pool.take()];
    expect(new Set(slots).size).toBe(3);
    expect(pool.take()).toBe(-1);
    expect(pool.free).toBe(0);
  });

  it('hands out last what came back first', () => {
    const pool = new PacketPool(3);
    const [a, b] = [pool.take(), pool.take()];
    pool.release(a);
    pool.release(b);
    expect([pool.take(), pool.take()]).toEqual([b, a]);
  });

  it('frees a shared slot with its last reference', () => {
    const pool = new PacketPool(1);
    const slot = pool.take();
    pool.share(slot, 2);
    expect(pool.isShared(slot)).toBe(true);
    pool.release(slot);
    pool.release(slot);
    expect([pool.isShared(slot), pool.isOwned(slot), pool.free]).toEqual([false, true, 0]);
    pool.release(slot);
    expect([pool.isOwned(slot), pool.free]).toEqual([false, 1]);
  });

  it('puts every slot into the memory, apart from the others and from address 0', () => {
    const pool = new PacketPool(4);
    const places = Array.from({ length: 4 }, () => pool.take()).map((slot) => [
      pool.at[slot],
      pool.end(slot),
    ]);
    for (const [at, end] of places) {
      expect(at - FRAME_START).toBeGreaterThan(0);
      expect(end - at).toBe(SLOT_SIZE - FRAME_START);
      expect(end).toBeLessThanOrEqual(pool.bytes.length);
    }
    expect(places.slice(1).every(([at], i) => at - FRAME_START === places[i][1])).toBe(true);
  });

  it('has room in a slot for the longest packet and the headroom', () => {
    expect(HEADROOM + MAX_FRAME).toBeLessThanOrEqual(SLOT_SIZE);
  });

  it('aligns the IP header behind Ethernet to four octets', () => {
    const pool = new PacketPool(2);
    pool.take();
    expect((pool.at[pool.take()] + 14) % 4).toBe(0);
  });

  it('gives a slot its usual place again when it is taken again', () => {
    const pool = new PacketPool(1);
    const slot = pool.take();
    const usual = pool.at[slot];
    pool.at[slot] -= 50;
    pool.release(slot);
    expect(pool.at[pool.take()]).toBe(usual);
  });

  it('forgets of an earlier packet what nobody sets anew', () => {
    const pool = new PacketPool(1);
    const slot = pool.take();
    const { flags, gsoType, gsoSize, vlan, info, l4 } = pool;
    for (const facts of [flags, gsoType, gsoSize, vlan, info, l4]) facts[slot] = 7;
    pool.reset(slot, 60, 3);
    expect([flags, gsoType, gsoSize, vlan, info, l4].map((facts) => facts[slot])).toEqual([0, 0, 0, 0, 0, 0]);
    expect([pool.length[slot], pool.port[slot]]).toEqual([60, 3]);
  });

  it('copies facts, with places moved to the other frame', () => {
    const pool = new PacketPool(2);
    const [from, to] = [pool.take(), pool.take()];
    pool.reset(from, 90, 3);
    const shift = pool.at[to] - pool.at[from];
    pool.l3[from] = pool.at[from] + 18;
    pool.l4[from] = pool.at[from] + 38;
    pool.kind[from] = KIND.IPV4;
    pool.flags[from] = PACKET.PARTIAL_CHECKSUM;
    pool.checksumStart[from] = 38;
    pool.copyFacts(from, to);
    expect([pool.l3[to] - pool.l3[from], pool.l4[to] - pool.l4[from]]).toEqual([shift, shift]);
    expect([pool.length[to], pool.port[to], pool.kind[to]]).toEqual([90, 3, KIND.IPV4]);
    expect([pool.flags[to], pool.checksumStart[to]]).toEqual([PACKET.PARTIAL_CHECKSUM, 38]);
    pool.l4[from] = 0;
    pool.copyFacts(from, to);
    expect(pool.l4[to]).toBe(0);
  });

  it('shares its memory with the kernel and with threads', () => {
    expect(new PacketPool(1).memory.buffer).toBeInstanceOf(SharedArrayBuffer);
  });
});
