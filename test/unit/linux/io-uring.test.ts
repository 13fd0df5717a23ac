import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemError } from '../../../src/linux/errno.js';
import { closeEventfd, createEventfd, signalEventfd } from '../../../src/linux/eventfd.js';
import {
  CqeFlags,
  DEFAULT_SETUP_FLAGS,
  IoUring,
  Opcode,
  probeIoUring,
  SetupFlags,
} from '../../../src/linux/io-uring.js';
import { explainSetup } from '../../../src/linux/io-uring-setup.js';
import { MemoryAddress } from '../../../src/linux/memory.js';
import { PollEvents } from '../../../src/linux/poll.js';

const EAGAIN = 11;
const EBADF = 9;
const ENOENT = 2;
const ETIME = 62;
const ECANCELED = 125;

const probe = probeIoUring();
if (!probe.available) console.log(`skipped: ${probe.reason}`);

describe.skipIf(!probe.available)('IoUring', () => {
  const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const view = new DataView(buffer);
  const memory = new MemoryAddress(buffer);
  let ring: IoUring;
  let events: number[];

  beforeEach(() => {
    ring = new IoUring({ entries: 8, files: 4 });
    events = [createEventfd(), createEventfd()];
  });
  afterEach(() => {
    ring.close();
    events.forEach(closeEventfd);
  });

  /** Takes what is there: [userData, result] of each completion, in order of arrival. */
  function take(): [number, number][] {
    const seen: [number, number][] = [];
    for (let i = 0; i < ring.cq.count(); i++) seen.push([ring.cq.userData(i), ring.cq.result(i)]);
    ring.cq.advance(seen.length);
    return seen;
  }

  function readCounter(slot: number, offset: number, userData: number): boolean {
    return ring.sq.read(slot, memory.low(offset), memory.high(offset), 8, userData);
  }

  it('brings a request of each user data back, the sign included', () => {
    for (const userData of [0, 1, -1, 0x7fffffff, -0x80000000]) ring.sq.nop(userData);
    expect(ring.submit(5)).toBe(5);
    expect(take()).toEqual([0, 1, -1, 0x7fffffff, -0x80000000].map((userData) => [userData, 0]));
    expect(ring.cq.count()).toBe(0);
  });

  it('says when the submission queue is full, and has space again after submit', () => {
    for (let i = 0; i < 8; i++) expect(ring.sq.nop(i)).toBe(true);
    expect(ring.sq.space()).toBe(0);
    expect(ring.sq.nop(8)).toBe(false);
    expect(ring.sq.timeout(1, 9)).toBe(false);
    expect(ring.submit(0)).toBe(8);
    expect(ring.sq.space()).toBe(8);
    expect(take().map(([userData]) => userData)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('goes round the rings many times', () => {
    for (let i = 0; i < 1000; i++) {
      ring.sq.nop(i);
      ring.sq.nop(~i);
      ring.sq.nop(i ^ 0x5555);
      expect(ring.submit(3)).toBe(3);
      expect(take()).toEqual([i, ~i, i ^ 0x5555].map((userData) => [userData, 0]));
    }
  });

  it('keeps completions that do not fit, and tells', () => {
    const submitNops = (from: number) => {
      for (let i = 0; i < 8; i++) ring.sq.nop(from + i);
      ring.submit(0);
    };
    for (let i = 0; i < 3; i++) submitNops(i * 8);
    expect(ring.cq.count()).toBe(16);
    expect(ring.overflowed()).toBe(true);
    const first = take();
    ring.submit(0);
    expect(ring.overflowed()).toBe(false);
    expect([...first, ...take()].map(([userData]) => userData)).toEqual([...Array(24).keys()]);
    expect(ring.cq.lost()).toBe(0);
  });

  it('reads into shared memory once there is something to read', () => {
    ring.setFile(0, events[0]!);
    view.setBigUint64(4096, 0n, true);
    expect(readCounter(0, 4096, 42)).toBe(true);
    expect(ring.submit(0)).toBe(1);
    expect(ring.cq.count()).toBe(0);
    signalEventfd(events[0]!);
    signalEventfd(events[0]!);
    expect(ring.submit(1)).toBe(0);
    expect(take()).toEqual([[42, 8]]);
    expect(Number(view.getBigUint64(4096, true))).toBeGreaterThan(0);
  });

  it('is woken, while blocked, by a signal of another thread', async () => {
    ring.setFile(0, events[0]!);
    readCounter(0, 0, 1);
    const start = performance.now();
    const worker = new Worker(
      `const { workerData } = require('node:worker_threads');
       Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
       require('node:fs').writeSync(workerData, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0));`,
      { eval: true, workerData: events[0] },
    );
    expect(ring.submitWithTimeout(1, 15_000)).toBe(1);
    const waited = performance.now() - start;
    expect(take()).toEqual([[1, 8]]);
    expect(waited).toBeGreaterThan(45);
    expect(waited).toBeLessThan(14_500);
    await worker.terminate();
  });

  it('gives up waiting when the time is over', () => {
    const start = performance.now();
    expect(ring.submitWithTimeout(1, 20.5)).toBe(-ETIME);
    const waited = performance.now() - start;
    expect(waited).toBeGreaterThanOrEqual(20.4);
    expect(waited).toBeLessThan(5000);
    expect(ring.submitWithTimeout(0, 1000)).toBe(0);
  });

  it('times requests out, each at its own time; the first ends a wait for two', () => {
    ring.sq.timeout(30, 30);
    ring.sq.timeout(5.5, 5);
    const start = performance.now();
    ring.submit(2);
    expect(performance.now() - start).toBeGreaterThanOrEqual(5.4);
    expect(take()).toEqual([[5, -ETIME]]);
    ring.submit(1);
    expect(performance.now() - start).toBeGreaterThanOrEqual(29.9);
    expect(take()).toEqual([[30, -ETIME]]);
  });

  it('changes single slots of the file table; a read in flight stays with its file', () => {
    ring.setFile(3, events[0]!);
    readCounter(3, 0, 1);
    ring.submit(0);
    ring.setFile(3, events[1]!);
    readCounter(3, 8, 2);
    ring.submit(0);
    signalEventfd(events[1]!);
    ring.submit(1);
    expect(take()).toEqual([[2, 8]]);
    signalEventfd(events[0]!);
    ring.submit(1);
    expect(take()).toEqual([[1, 8]]);
    ring.clearFile(3);
    readCounter(3, 0, 3);
    ring.submit(1);
    expect(take()).toEqual([[3, -EBADF]]);
    expect(() => ring.setFile(4, events[0]!)).toThrow('io_uring_register FILES_UPDATE slot 4: EINVAL');
  });

  it('cancels by user data and by file', () => {
    ring.setFile(0, events[0]!);
    for (const userData of [1, 2, 3]) readCounter(0, userData * 8, userData);
    ring.submit(0);
    ring.sq.cancel(2, 10);
    ring.submit(2);
    expect(new Map(take())).toEqual(
      new Map([
        [10, 0],
        [2, -ECANCELED],
      ]),
    );
    ring.sq.cancelFile(0, 11);
    ring.submit(3);
    expect(new Map(take())).toEqual(
      new Map([
        [11, 2],
        [1, -ECANCELED],
        [3, -ECANCELED],
      ]),
    );
    ring.sq.cancel(77, 12);
    ring.submit(1);
    expect(take()).toEqual([[12, -ENOENT]]);
  });

  it('reads without waiting, and polls more than once', () => {
    ring.setFile(0, events[0]!);
    ring.sq.readNoWait(0, memory.low(0), memory.high(0), 8, 1);
    ring.submit(1);
    expect(take()).toEqual([[1, -EAGAIN]]);
    ring.sq.pollAdd(0, PollEvents.POLLIN, true, 2);
    ring.submit(0);
    for (let round = 0; round < 2; round++) {
      signalEventfd(events[0]!);
      ring.submit(1);
      expect(ring.cq.flags(0) & CqeFlags.IORING_CQE_F_MORE).toBe(CqeFlags.IORING_CQE_F_MORE);
      expect(take()).toEqual([[2, PollEvents.POLLIN]]);
      ring.sq.readNoWait(0, memory.low(0), memory.high(0), 8, 3);
      ring.submit(1);
      expect(take()).toEqual([[3, 8]]);
    }
  });

  it('knows what the kernel supports', () => {
    expect(ring.supports(Opcode.IORING_OP_READ)).toBe(true);
    expect(ring.supports(250)).toBe(false);
  });

  it('gets along with less where the kernel refuses flags', () => {
    const { IORING_SETUP_DEFER_TASKRUN, IORING_SETUP_SUBMIT_ALL } = SetupFlags;
    const lesser = new IoUring({
      entries: 4,
      setupFlags: IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
    });
    expect(lesser.setupFlags & IORING_SETUP_DEFER_TASKRUN).toBe(0);
    lesser.sq.nop(1);
    expect(lesser.submit(1)).toBe(1);
    expect(lesser.cq.result(0)).toBe(0);
    lesser.close();
  });

  it.each([0, SetupFlags.IORING_SETUP_COOP_TASKRUN, DEFAULT_SETUP_FLAGS])(
    'works with set-up flags %i',
    (flags) => {
      const other = new IoUring({ entries: 4, completionEntries: 64, setupFlags: flags });
      expect(other.cq.entries).toBe(64);
      expect(other.setupFlags & flags).toBe(flags);
      other.sq.timeout(5, 9);
      expect(other.submit(1)).toBe(1);
      expect([other.cq.userData(0), other.cq.result(0)]).toEqual([9, -ETIME]);
      other.close();
    },
  );

  it('is harmless after close', () => {
    ring.close();
    ring.close();
    expect(ring.submit(1)).toBe(-EBADF);
    expect([ring.sq.space(), ring.cq.count(), ring.overflowed(), ring.sq.nop(1)]).toEqual([
      0,
      0,
      false,
      false,
    ]);
    expect(() => ring.setFile(0, 0)).toThrow('EBADF');
  });
});

describe('why there is no io_uring', () => {
  it.each([
    [38, /no io_uring, or a seccomp filter hides it \(io_uring_setup: ENOSYS/],
    [1, /forbids it|kernel.io_uring_disabled is/],
    [12, /ulimit -l/],
    [22, /Linux 5.11/],
  ])('explains errno %i', (errno, text) => {
    const error = explainSetup(new SystemError(errno, 'io_uring_setup'));
    expect(error).toMatchObject({ code: 'IO_URING_UNAVAILABLE', message: expect.stringMatching(text) });
  });

  it('leaves other failures as they are', () => {
    const error = new SystemError(24, 'io_uring_setup');
    expect(explainSetup(error)).toBe(error);
  });
});
