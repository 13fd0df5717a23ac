/**
 * Hot calls allocate nothing: over as many calls as would fill the young generation several times at 16 bytes
 * a call (one boxed number), the collector has next to nothing to do. The first test shows that it would
 * be seen.
 */
import { GCProfiler, setFlagsFromString } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { closeEventfd, createEventfd, drainEventfd, signalEventfd } from '../../../src/linux/eventfd.js';
import { IoUring, probeIoUring } from '../../../src/linux/io-uring.js';
import { MemoryAddress } from '../../../src/linux/memory.js';
import { MessageIo } from '../../../src/linux/message-io.js';
import { MemoryIo, PollEvents, PollSet } from '../../../src/linux/poll.js';
import { MessageTable } from '../../../src/linux/udp-message.js';
import { closeTunnelSockets, openTunnelSockets } from '../../../src/linux/udp-socket.js';
import { formatIpv4 } from '../../../src/wire/address.js';

// Code is compiled in place, not by another thread, which on a busy machine is late: until then numbers are boxed.
setFlagsFromString('--no-concurrent-recompilation');

const WARM_UP = 50_000;
const CALLS = 400_000;
/** A sendmsg and a recvmsg cost more than the other calls: so long on a busy machine (ms). */
const MESSAGES_TIMEOUT = 180_000;
/** The collections that vitest's own doings and the profiler's start may cause. */
const TOLERATED = 2;

/** How often the collector ran during CALLS calls of `body`, compiled before. */
function collections(body: (i: number) => void): number {
  for (let i = 0; i < WARM_UP; i++) body(i);
  const profiler = new GCProfiler();
  profiler.start();
  for (let i = 0; i < CALLS; i++) body(i);
  return profiler.stop().statistics.length;
}

const { buffer } = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
const memory = new MemoryAddress(buffer);

/** A loopback address of this process's own: another run of the tests may go on beside it. */
const OWN_WORD = 0x7f00_0001 | ((process.pid & 0x7fff) << 8);
const OWN = formatIpv4(OWN_WORD);

describe('allocation', () => {
  it('sees a loop that boxes one number a call', () => {
    const boxed: unknown[] = ['not a number'];
    const count = collections((i) => {
      boxed[i & 1] = i + 0.5;
    });
    expect(boxed.length).toBe(2);
    expect(count).toBeGreaterThan(TOLERATED);
  });

  it('readAt and writeAt', () => {
    const io = new MemoryIo(memory);
    const fd = createEventfd({ nonBlocking: true });
    let sum = 0;
    const count = collections((i) => {
      sum += io.writeAt(fd, (i & 0xfff) * 8, 0) + io.readAt(fd, (i & 0xfff) * 16, 8);
    });
    closeEventfd(fd);
    expect(sum).toBeLessThan(0);
    expect(count).toBeLessThanOrEqual(TOLERATED);
  });

  it('a poll cycle: signal, wait, drain', () => {
    const fd = createEventfd({ nonBlocking: true });
    const set = new PollSet(2);
    set.set(0, fd, PollEvents.POLLIN);
    let ready = 0;
    const count = collections(() => {
      signalEventfd(fd);
      ready += set.wait(0) + set.ready(0) + drainEventfd(fd);
    });
    closeEventfd(fd);
    expect(ready).toBe(3 * (WARM_UP + CALLS));
    expect(count).toBeLessThanOrEqual(TOLERATED);
  });

  it(
    'a message sent and received',
    () => {
      const sockets = openTunnelSockets({ address: OWN, port: 20_789, sources: 1 });
      const io = new MessageIo(new MessageTable(1, memory));
      const remote = new Int32Array(4);
      let received = 0;
      let sum = 0;
      const count = collections((i) => {
        const offset = (i & 0xff) * 64;
        // A signed address and a high port: numbers that would be boxed, if any were.
        io.message.aimToSend(0, offset, 40, 20);
        io.message.toIpv4(0, i % 64 === 0 ? OWN_WORD : -1, sockets.udpPort);
        const done = io.send(sockets.sendFds[0]);
        if (io.receive(sockets.receiveFd, offset, 64) > 0) received++;
        io.message.readRemote(0, remote, 0);
        // Kept small, since a large sum would be boxed itself.
        sum = (sum + done + io.message.segment(0) + io.message.remotePort(0)) & 0xffff;
      });
      closeTunnelSockets(sockets);
      expect(received).toBeGreaterThanOrEqual(CALLS / 64);
      expect(sum).toBeGreaterThanOrEqual(0);
      expect(count).toBeLessThanOrEqual(TOLERATED);
    },
    MESSAGES_TIMEOUT,
  );

  it.skipIf(!probeIoUring().available)(
    'messages sent and received through a ring',
    () => {
      const sockets = openTunnelSockets({ address: OWN, port: 20_790, sources: 1 });
      const ring = new IoUring({ entries: 16, files: 2 });
      ring.setFile(0, sockets.receiveFd);
      ring.setFile(1, sockets.sendFds[0]);
      const sends = new MessageTable(1, memory);
      const reads = new MessageTable(1, memory);
      let sum = 0;
      const count = collections((i) => {
        const offset = (i & 0xff) * 64;
        sends.aimToSend(0, offset, 40, 0);
        sends.toIpv4(0, i % 64 === 0 ? OWN_WORD : -1, sockets.udpPort);
        reads.aimToReceive(0, offset, 64);
        ring.sq.sendmsgNoWait(1, sends.low(0), sends.high(0), i);
        ring.sq.recvmsgNoWait(0, reads.low(0), reads.high(0), i);
        ring.submit(2);
        const completed = ring.cq.count();
        for (let k = 0; k < completed; k++) sum += ring.cq.result(k);
        ring.cq.advance(completed);
      });
      ring.close();
      closeTunnelSockets(sockets);
      expect(sum).not.toBe(0);
      expect(count).toBeLessThanOrEqual(TOLERATED);
    },
    MESSAGES_TIMEOUT,
  );

  it.skipIf(!probeIoUring().available)('an io_uring cycle: prepare, submit, read completions', () => {
    const ring = new IoUring({ entries: 16, files: 1 });
    const fd = createEventfd();
    ring.setFile(0, fd);
    let bytes = 0;
    const count = collections((i) => {
      const at = (i & 0xff) * 64;
      signalEventfd(fd);
      ring.sq.nop(i);
      ring.sq.read(0, memory.low(at), memory.high(at), 8, i);
      if ((i & 1) === 0) ring.submit(2);
      else ring.submitWithTimeout(2, 1 + (i & 7));
      const completed = ring.cq.count();
      for (let k = 0; k < completed; k++) bytes += ring.cq.result(k) + (ring.cq.userData(k) - i);
      ring.cq.advance(completed);
    });
    ring.close();
    closeEventfd(fd);
    expect(bytes).toBe(8 * (WARM_UP + CALLS));
    expect(count).toBeLessThanOrEqual(TOLERATED);
  });
});
