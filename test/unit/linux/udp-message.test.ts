/** Messages of UDP sockets through the loopback interface, by system calls and through a ring. */
import { afterEach, describe, expect, it } from 'vitest';
import { Errno } from '../../../src/linux/errno.js';
import { IoUring, probeIoUring } from '../../../src/linux/io-uring.js';
import { MemoryAddress } from '../../../src/linux/memory.js';
import { MessageIo } from '../../../src/linux/message-io.js';
import { MessageTable } from '../../../src/linux/udp-message.js';
import { closeTunnelSockets, openTunnelSockets, type TunnelSockets } from '../../../src/linux/udp-socket.js';

const PAGES = 16;
const MAPPED = 0xffff;

const { buffer } = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
const memory = new MemoryAddress(buffer);
const bytes = new Uint8Array(buffer);

const open: TunnelSockets[] = [];
afterEach(() => {
  for (const sockets of open.splice(0)) closeTunnelSockets(sockets);
});

/** At the first port from 20,000 on that is free. */
function openHere(): TunnelSockets {
  for (let port = 20_000; ; port++) {
    try {
      const sockets = openTunnelSockets({ address: '127.0.0.1', port, sources: 1, busyMs: 0 });
      open.push(sockets);
      return sockets;
    } catch (error) {
      if (!String(error).includes('EADDRINUSE') || port > 20_100) throw error;
    }
  }
}

const LOOPBACK = 0x7f00_0001;

/** Lays bytes down at an offset of packet memory. */
function fill(offset: number, length: number): Buffer {
  for (let i = 0; i < length; i++) bytes[offset + i] = (i * 7 + length) & 255;
  return Buffer.from(bytes.slice(offset, offset + length));
}

const at = (offset: number, length: number): Buffer => Buffer.from(bytes.slice(offset, offset + length));

describe('MessageTable', () => {
  it('lays structures out as the kernel has them', () => {
    const table = new MessageTable(2, memory);
    table.aimToSend(1, 64, 3000, 1400);
    table.toIpv6(1, 0x20010db8, 1, -1, 0x7fffffff, 4789);
    const raw = Buffer.from(table.words.buffer);
    const size = raw.length / 2;
    const own = (offset: number): bigint => {
      const low = BigInt(table.low(1) >>> 0);
      return (BigInt(table.high(1)) << 32n) + low + BigInt(offset);
    };
    const message = raw.subarray(size);
    // name, namelen, iov, iovlen, control, controllen, flags
    expect(message.readBigInt64LE(0)).toBe(own(72));
    expect(message.readUInt32LE(8)).toBe(28);
    expect(message.readBigInt64LE(16)).toBe(own(56));
    expect(message.readBigUInt64LE(24)).toBe(1n);
    expect(message.readBigInt64LE(32)).toBe(own(104));
    expect(message.readBigUInt64LE(40)).toBe(24n);
    const payload = (BigInt(memory.high(64)) << 32n) + BigInt(memory.low(64) >>> 0);
    expect([message.readBigInt64LE(56), message.readBigUInt64LE(64)]).toEqual([payload, 3000n]);
    // family, port, flow label, address, scope: sockaddr_in6
    expect(message.subarray(72, 100).toString('hex')).toBe(
      '0a0012b5000000002001 0db800000001ffffffff7fffffff00000000'.replace(' ', ''),
    );
    // length 18, SOL_UDP, UDP_SEGMENT
    expect(message.subarray(104, 122).toString('hex')).toBe('120000000000000011000000670000007805');
    expect(size % 8).toBe(0);
  });

  it('reads a message that was longer than its room', () => {
    const table = new MessageTable(1, memory);
    expect(table.isTruncated(0)).toBe(false);
    table.words[12] = 0x20;
    expect(table.isTruncated(0)).toBe(true);
  });

  it('takes no control message for another', () => {
    const table = new MessageTable(1, memory);
    table.aimToReceive(0, 0, 100);
    for (const [length, level, type, expected] of [
      [24, 17, 104, 1200],
      [0, 17, 104, 0],
      [24, 17, 103, 0],
      [24, 1, 104, 0],
    ]) {
      table.words[10] = length;
      table.words.set([20, 0, level, type, 1200], 26);
      expect(table.segment(0)).toBe(expected);
    }
  });
});

describe('MessageIo', () => {
  it('sends and receives, and tells from whom', () => {
    const sockets = openHere();
    const io = new MessageIo(new MessageTable(1, memory));
    expect(io.receive(sockets.receiveFd, 4096, 2000)).toBe(-Errno.EAGAIN);
    const sent = fill(100, 1234);
    io.message.aimToSend(0, 100, 1234, 0);
    io.message.toIpv4(0, LOOPBACK, sockets.udpPort);
    expect(io.send(sockets.sendFds[0])).toBe(1234);
    expect(io.receive(sockets.receiveFd, 4096, 2000)).toBe(1234);
    expect(at(4096, 1234).equals(sent)).toBe(true);
    const remote = new Int32Array(6);
    io.message.readRemote(0, remote, 1);
    expect([...remote]).toEqual([0, 0, 0, MAPPED, LOOPBACK, 0]);
    expect(io.message.remotePort(0)).toBe(sockets.sourcePorts[0]);
    expect([io.message.segment(0), io.message.isTruncated(0)]).toEqual([0, false]);
  });

  it('sends several datagrams, and receives them as one message', () => {
    const sockets = openHere();
    const io = new MessageIo(new MessageTable(1, memory));
    const sent = fill(100, 5000);
    io.message.aimToSend(0, 100, 5000, 999);
    io.message.toIpv4(0, LOOPBACK, sockets.udpPort);
    expect(io.send(sockets.sendFds[0])).toBe(5000);
    expect(io.receive(sockets.receiveFd, 8192, 6000)).toBe(5000);
    expect(at(8192, 5000).equals(sent)).toBe(true);
    expect(io.message.segment(0)).toBe(999);
  });

  it('says that a message was longer than its room', () => {
    const sockets = openHere();
    const io = new MessageIo(new MessageTable(1, memory));
    io.message.aimToSend(0, 100, 500, 0);
    io.message.toIpv4(0, LOOPBACK, sockets.udpPort);
    io.send(sockets.sendFds[0]);
    expect(io.receive(sockets.receiveFd, 4096, 100)).toBe(100);
    expect(io.message.isTruncated(0)).toBe(true);
  });
});

describe.skipIf(!probeIoUring().available)('messages through a ring', () => {
  it('give the port up a little after the ring is closed, for which the next to open it waits', () => {
    const sockets = openHere();
    const ring = new IoUring({ entries: 8, files: 1 });
    ring.setFile(0, sockets.receiveFd);
    const reads = new MessageTable(1, memory);
    reads.aimToReceive(0, 4096, 2000);
    ring.sq.recvmsg(0, reads.low(0), reads.high(0), 1);
    ring.submit(0);
    ring.close();
    closeTunnelSockets(open.pop()!);
    open.push(openTunnelSockets({ address: '127.0.0.1', port: sockets.udpPort, sources: 1, busyMs: 5000 }));
  });

  it('waits for a message, and does not where it was told not to', () => {
    const sockets = openHere();
    const ring = new IoUring({ entries: 8, files: 2 });
    ring.setFile(0, sockets.receiveFd);
    ring.setFile(1, sockets.sendFds[0]);
    const reads = new MessageTable(2, memory);
    const sends = new MessageTable(1, memory);
    const results = (): [number, number][] => {
      const list = Array.from({ length: ring.cq.count() }, (_, i): [number, number] => [
        ring.cq.userData(i),
        ring.cq.result(i),
      ]);
      ring.cq.advance(list.length);
      return list;
    };
    reads.aimToReceive(0, 4096, 2000);
    reads.aimToReceive(1, 8192, 2000);
    ring.sq.recvmsgNoWait(0, reads.low(0), reads.high(0), 1);
    ring.sq.recvmsg(0, reads.low(1), reads.high(1), 2);
    ring.submit(0);
    expect(results()).toEqual([[1, -Errno.EAGAIN]]);
    const sent = fill(100, 700);
    sends.aimToSend(0, 100, 700, 300);
    sends.toIpv4(0, LOOPBACK, sockets.udpPort);
    ring.sq.sendmsgNoWait(1, sends.low(0), sends.high(0), 3);
    ring.submit(2);
    expect(results()).toEqual([
      [3, 700],
      [2, 700],
    ]);
    expect(at(8192, 700).equals(sent)).toBe(true);
    expect([reads.segment(1), reads.remotePort(1)]).toEqual([300, sockets.sourcePorts[0]]);
    ring.close();
  });
});
