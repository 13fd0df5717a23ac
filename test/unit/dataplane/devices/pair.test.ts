import { describe, expect, it } from 'vitest';
import { createPair } from '../../../../src/dataplane/devices/pair.js';
import { DROP } from '../../../../src/dataplane/drop-reasons.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { GSO } from '../../../../src/wire/virtio-net.js';
import {
  frameOf,
  newContext,
  receiveFrames,
  receiveSlots,
  sendFrames,
  sendSlots,
  slotWith,
} from './support.js';

function pairs(slots = 64, depth = 4) {
  const context = newContext(slots);
  return {
    context,
    pool: context.pool,
    ...createPair({ a: { context, port: 1 }, b: { context, port: 2 }, depth }),
  };
}

describe('createPair', () => {
  it('carries packets in both directions', () => {
    const { a, b, pool, context } = pairs();
    sendFrames(a, pool, ['0a01', '0a02']);
    sendFrames(b, pool, ['0b']);
    expect(a.waiting).toBe(1);
    expect(b.waiting).toBe(2);
    expect(receiveFrames(b, pool)).toEqual(['0a01', '0a02']);
    expect(receiveFrames(a, pool)).toEqual(['0b']);
    expect(context.counters.port(1, 'txBytes')).toBe(4);
    expect(context.counters.port(2, 'txBytes')).toBe(1);
    expect(pool.free).toBe(64);
  });

  it('names its ends for people', () => {
    const context = newContext();
    const { a, b } = createPair({ a: { context, port: 1, name: 'web' }, b: { context, port: 2, mtu: 1400 } });
    expect([a.name, a.mtu, a.offloads]).toEqual(['web', 1500, 0]);
    expect([b.name, b.mtu]).toEqual(['pair2', 1400]);
  });

  it('hands a slot over within a pool', () => {
    const { a, b, pool } = pairs();
    const slot = slotWith(pool, '0a01');
    sendSlots(a, [slot]);
    expect(receiveSlots(b, pool)).toEqual([slot]);
    expect(pool.port[slot]).toBe(2);
  });

  it('copies within a pool what has used its headroom, so that the receiver has all of it', () => {
    const { a, b, pool } = pairs();
    const slot = slotWith(pool, '0a01');
    const usual = pool.at[slot];
    pool.at[slot] -= 70;
    sendSlots(a, [slot]);
    const [copy] = receiveSlots(b, pool);
    expect(copy).not.toBe(slot);
    expect(pool.at[copy] - pool.end(copy)).toBe(usual - pool.end(slot));
    expect(pool.free).toBe(63);
  });

  it('copies a flooded packet, so that each receiver may write to its own', () => {
    const { a, b, pool } = pairs();
    const slot = slotWith(pool, '0a01');
    pool.share(slot, 1);
    sendSlots(a, [slot]);
    const [copy] = receiveSlots(b, pool);
    pool.bytes[pool.at[copy]] = 0xff;
    expect(frameOf(pool, copy)).toBe('ff01');
    expect(frameOf(pool, slot)).toBe('0a01');
  });

  it('copies bytes of every length between pools', () => {
    const near = newContext();
    const far = newContext();
    const { a, b } = createPair({ a: { context: near, port: 1 }, b: { context: far, port: 2 } });
    const frames = Array.from({ length: 18 }, (_, length) =>
      'a1b2c3d4e5f60718'.repeat(3).slice(0, 2 * length),
    );
    sendFrames(a, near.pool, frames);
    expect(receiveFrames(b, far.pool)).toEqual(frames);
    expect([near.pool.free, far.pool.free]).toEqual([64, 64]);
    expect([near.counters.total('sent'), far.counters.total('sent')]).toEqual([18, 0]);
  });

  it.each(['one pool', 'two pools'])(
    'passes offload facts as they are, and forgets all others, with %s',
    (pools) => {
      const near = newContext();
      const far = pools === 'one pool' ? near : newContext();
      const { a, b } = createPair({ a: { context: near, port: 1 }, b: { context: far, port: 2 } });
      const slot = slotWith(near.pool, '0a01');
      near.pool.flags[slot] = PACKET.PARTIAL_CHECKSUM | PACKET.ORIGINATED | PACKET.FRAGMENT | PACKET.OPTIONS;
      near.pool.gsoType[slot] = GSO.TCPV6;
      near.pool.gsoSize[slot] = 1200;
      near.pool.checksumStart[slot] = 54;
      near.pool.checksumOffset[slot] = 16;
      near.pool.vlan[slot] = near.pool.info[slot] = near.pool.l4[slot] = 77;
      sendSlots(a, [slot]);
      const [got] = receiveSlots(b, far.pool);
      const { flags, gsoType, gsoSize, checksumStart, checksumOffset, vlan, info, l4 } = far.pool;
      expect(flags[got]).toBe(PACKET.PARTIAL_CHECKSUM);
      expect([gsoType[got], gsoSize[got]]).toEqual([GSO.TCPV6, 1200]);
      expect([checksumStart[got], checksumOffset[got]]).toEqual([54, 16]);
      expect([vlan[got], info[got], l4[got]]).toEqual([0, 0, 0]);
    },
  );

  it('drops at the sender what does not fit, and keeps what came before', () => {
    const { a, b, pool, context } = pairs(64, 2);
    sendFrames(a, pool, ['01', '02', '03']);
    expect(context.counters.portDrops(1, DROP['tx-queue-full'])).toBe(1);
    expect(context.counters.port(1, 'txPackets')).toBe(2);
    expect(receiveFrames(b, pool)).toEqual(['01', '02']);
    expect(pool.free).toBe(64);
  });

  it('drops at the sender where the receiver has no slot', () => {
    const near = newContext();
    const far = newContext(1);
    const { a, b } = createPair({ a: { context: near, port: 1 }, b: { context: far, port: 2 } });
    sendFrames(a, near.pool, ['01', '02']);
    expect(near.counters.portDrops(1, DROP['no-slot'])).toBe(1);
    expect(near.pool.free).toBe(64);
    expect(receiveFrames(b, far.pool)).toEqual(['01']);
  });

  it('drops where the other end is closed, and loses what was on its way there', () => {
    const { a, b, pool, context } = pairs();
    sendFrames(a, pool, ['01']);
    sendFrames(b, pool, ['02']);
    b.close();
    sendFrames(a, pool, ['03']);
    expect(context.counters.portDrops(1, DROP['port-down'])).toBe(1);
    expect(receiveFrames(b, pool)).toEqual([]);
    expect(receiveFrames(a, pool)).toEqual(['02']);
    expect(pool.free).toBe(64);
  });

  it('appends no more than the batch holds', () => {
    const { a, b, pool } = pairs(3, 4);
    sendFrames(a, pool, ['01', '02', '03']);
    const small = newContext(2).pool;
    expect(receiveSlots(b, small).length).toBe(2);
    expect(b.waiting).toBe(1);
  });
});
