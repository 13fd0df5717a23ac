import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeEventfd, createEventfd, drainEventfd, signalEventfd } from '../../../src/linux/eventfd.js';
import { MemoryAddress } from '../../../src/linux/memory.js';
import { MemoryIo, PollEvents, PollSet } from '../../../src/linux/poll.js';

const { POLLIN, POLLNVAL } = PollEvents;

describe('PollSet', () => {
  let fds: number[];
  beforeEach(() => {
    fds = [createEventfd({ nonBlocking: true }), createEventfd({ nonBlocking: true })];
  });
  afterEach(() => fds.forEach(closeEventfd));

  it('says which descriptor is ready, and no longer once drained', () => {
    const set = new PollSet(3);
    set.set(0, fds[0]!, POLLIN);
    set.set(2, fds[1]!, POLLIN);
    expect(set.wait(0)).toBe(0);
    signalEventfd(fds[1]!);
    signalEventfd(fds[1]!);
    expect(set.wait(-1)).toBe(1);
    expect([set.ready(0), set.ready(1), set.ready(2)]).toEqual([0, 0, POLLIN]);
    expect(drainEventfd(fds[1]!)).toBe(2);
    expect(drainEventfd(fds[1]!)).toBe(0);
    expect(set.wait(0)).toBe(0);
  });

  it('waits for the time given', () => {
    const set = new PollSet(1);
    set.set(0, fds[0]!, POLLIN);
    const start = performance.now();
    expect(set.wait(30)).toBe(0);
    expect(performance.now() - start).toBeGreaterThanOrEqual(29);
  });

  it('watches what is left, and what comes again, after its last entries are cleared', () => {
    const set = new PollSet(8);
    set.set(1, fds[0]!, POLLIN);
    set.set(7, fds[1]!, POLLIN);
    set.clear(7);
    signalEventfd(fds[0]!);
    signalEventfd(fds[1]!);
    expect(set.wait(0)).toBe(1);
    expect([set.ready(1), set.ready(7)]).toEqual([POLLIN, 0]);
    set.set(5, fds[1]!, POLLIN);
    expect(set.wait(0)).toBe(2);
    expect(set.ready(5)).toBe(POLLIN);
  });

  it('skips cleared entries and reports a closed descriptor', () => {
    const set = new PollSet(2);
    signalEventfd(fds[0]!);
    set.set(0, fds[0]!, POLLIN);
    set.clear(0);
    set.set(1, 1_000_000, POLLIN);
    expect(set.wait(0)).toBe(1);
    expect([set.ready(0), set.ready(1)]).toEqual([0, POLLNVAL]);
  });
});

describe('MemoryIo', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'podwire-io-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const { buffer } = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
  const bytes = new Uint8Array(buffer);
  const io = new MemoryIo(new MemoryAddress(buffer));

  it('reads a file into shared memory at the offset, and nothing beside it', () => {
    const path = join(directory, 'in');
    writeFileSync(path, Uint8Array.of(1, 2, 3, 4));
    const fd = openSync(path, 'r');
    bytes.fill(0xee);
    expect(io.readAt(fd, 70_000, 100)).toBe(4);
    closeSync(fd);
    expect([...bytes.subarray(69_999, 70_005)]).toEqual([0xee, 1, 2, 3, 4, 0xee]);
  });

  it('writes from shared memory; another program finds the bytes', () => {
    const path = join(directory, 'out');
    const fd = openSync(path, 'w');
    bytes.set([0x70, 0x6f, 0x64], 131_000);
    expect(io.writeAt(fd, 131_000, 3)).toBe(3);
    closeSync(fd);
    expect(execFileSync('cat', [path]).toString()).toBe('pod');
    expect(readFileSync(path).length).toBe(3);
  });

  it('returns a negative errno', () => {
    const fd = createEventfd({ nonBlocking: true });
    expect(io.readAt(fd, 0, 8)).toBe(-11);
    closeEventfd(fd);
    expect(io.readAt(-1, 0, 8)).toBe(-9);
    expect(io.writeAt(-1, 0, 8)).toBe(-9);
  });
});
