/**
 *     this process ── TAP fd ══ eth0 10.99.0.1/24 ── the kernel of a fresh namespace
 *
 * We ask with ARP, in literal bytes; the kernel judges: it counts the packet, and answers.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { IoUring, probeIoUring } from '../../src/linux/io-uring.js';
import { MemoryAddress } from '../../src/linux/memory.js';
import { withNamespace } from '../../src/linux/netns.js';
import { MemoryIo, PollEvents, PollSet } from '../../src/linux/poll.js';
import {
  closeTap,
  openTap,
  setHardwareAddress,
  setPersistent,
  type Tap,
  VNET_HEADER_BYTES,
} from '../../src/linux/tun.js';
import { listening } from '../support/netns-capture.js';
import { ARP_REPLY, ARP_REQUEST, freshNamespace, ip, isRoot, link } from './linux-support.js';

const SLOT = 4096;
const { buffer } = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
const bytes = new Uint8Array(buffer);
const memory = new MemoryAddress(buffer);

/** What precedes a packet that needs nothing; num_buffers is 1 where the kernel fills it in. */
const EMPTY_VNET_HEADER = new Uint8Array(VNET_HEADER_BYTES);

/** A TAP whose kernel side has 10.99.0.1 at 02:00:00:00:00:01, and the namespace it is in. */
function freshTap(nonBlocking: boolean): { tap: Tap; namespace: string } {
  const namespace = freshNamespace();
  const tap = withNamespace(namespace, () => openTap({ name: 'eth0', mode: 'create', nonBlocking }));
  onTestFinished(() => closeTap(tap));
  setHardwareAddress(tap.fd, Uint8Array.of(2, 0, 0, 0, 0, 1));
  ip('-n', namespace, 'addr', 'add', '10.99.0.1/24', 'dev', 'eth0');
  ip('-n', namespace, 'link', 'set', 'eth0', 'up');
  return { tap, namespace };
}

/** Lays the request down at `offset`, with its empty vnet header, and returns the length of both. */
function layRequest(offset: number): number {
  bytes.set(EMPTY_VNET_HEADER, offset);
  bytes.set(ARP_REQUEST, offset + VNET_HEADER_BYTES);
  return VNET_HEADER_BYTES + ARP_REQUEST.length;
}

function packetAt(offset: number, length: number): number[] {
  return [...bytes.subarray(offset + VNET_HEADER_BYTES, offset + length)];
}

describe.skipIf(!isRoot)('packets through a TAP', () => {
  it('by poll, readv and writev', () => {
    const { tap, namespace } = freshTap(true);
    const io = new MemoryIo(memory);
    const set = new PollSet(1);
    set.set(0, tap.fd, PollEvents.POLLIN);
    expect(io.readAt(tap.fd, SLOT, SLOT)).toBe(-11);
    const length = layRequest(0);
    expect(io.writeAt(tap.fd, 0, length)).toBe(length);
    expect(set.wait(2000)).toBe(1);
    expect(io.readAt(tap.fd, SLOT, SLOT)).toBe(VNET_HEADER_BYTES + ARP_REPLY.length);
    expect(packetAt(SLOT, VNET_HEADER_BYTES + ARP_REPLY.length)).toEqual([...ARP_REPLY]);
    const { rx, tx } = link(namespace, 'eth0')!.stats64;
    expect([rx.packets, rx.bytes, tx.packets, tx.bytes]).toEqual([1, 42, 1, 42]);
  });

  it('fails with EIO while the interface is down', () => {
    const { tap, namespace } = freshTap(true);
    ip('-n', namespace, 'link', 'set', 'eth0', 'down');
    expect(new MemoryIo(memory).writeAt(tap.fd, 0, layRequest(0))).toBe(-5);
  });

  it.skipIf(!probeIoUring().available)('by io_uring, many in flight', () => {
    const { tap, namespace } = freshTap(false);
    const packets = 20;
    const ring = new IoUring({ entries: 64, files: 8 });
    ring.setFile(5, tap.fd);
    for (let slot = 1; slot <= packets; slot++) {
      ring.sq.read(5, memory.low(slot * SLOT), memory.high(slot * SLOT), SLOT, slot);
    }
    const length = layRequest(0);
    for (let i = 0; i < packets; i++) ring.sq.write(5, memory.low(0), memory.high(0), length, -1);
    expect(ring.sq.pending()).toBe(2 * packets);

    const results = new Map<number, number[]>();
    for (let turn = 0; turn < 50 && count(results) < 2 * packets; turn++) {
      ring.submitWithTimeout(1, 1000);
      const completed = ring.cq.count();
      for (let i = 0; i < completed; i++) {
        const of = results.get(ring.cq.userData(i)) ?? [];
        results.set(ring.cq.userData(i), [...of, ring.cq.result(i)]);
      }
      ring.cq.advance(completed);
    }
    ring.close();
    expect(results.get(-1)).toEqual(Array(packets).fill(length));
    for (let slot = 1; slot <= packets; slot++) {
      expect(results.get(slot)).toEqual([length]);
      expect(packetAt(slot * SLOT, length)).toEqual([...ARP_REPLY]);
    }
    const { rx, tx } = link(namespace, 'eth0')!.stats64;
    expect([rx.packets, rx.bytes, tx.packets]).toEqual([packets, 42 * packets, packets]);
  });

  it.skipIf(!probeIoUring().available)('wait for a ring that was closed with reads in flight', () => {
    const namespace = freshNamespace();
    const open = (mode: 'create' | 'take-up', busyMs: number) =>
      withNamespace(namespace, () => openTap({ name: 'eth0', mode, busyMs }));
    const tap = open('create', 0);
    setPersistent(tap.fd, true);
    const ring = new IoUring({ entries: 8, files: 1 });
    ring.setFile(0, tap.fd);
    ring.sq.read(0, memory.low(0), memory.high(0), SLOT, 1);
    expect(ring.submit(0)).toBe(1);
    ring.close();
    closeTap(tap);
    const again = open('take-up', 5000);
    expect(again.index).toBe(tap.index);
    closeTap(again);
  });

  it('that tcpdump reads as we mean them', async ({ skip }) => {
    if (!hasTcpdump()) skip('needs tcpdump');
    const { tap, namespace } = freshTap(true);
    const words = `netns exec ${namespace} tcpdump --immediate-mode -nn -e -l -i eth0 -c 2`;
    const dump = spawn('ip', words.split(' '));
    onTestFinished(() => void dump.kill());
    const closed = once(dump, 'close');
    let seen = '';
    dump.stdout.on('data', (chunk) => {
      seen += chunk;
    });
    await listening(dump);
    new MemoryIo(memory).writeAt(tap.fd, 0, layRequest(0));
    await closed;
    expect(seen).toContain('02:00:00:00:00:02 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806)');
    expect(seen).toContain('Request who-has 10.99.0.1 tell 10.99.0.2, length 28');
    expect(seen).toContain('Reply 10.99.0.1 is-at 02:00:00:00:00:01, length 28');
  });
});

function count(results: Map<number, number[]>): number {
  return [...results.values()].flat().length;
}

function hasTcpdump(): boolean {
  try {
    execFileSync('tcpdump', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
