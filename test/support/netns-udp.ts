/**
 * Two namespaces joined by a veth pair, and plain UDP sockets in them: the kernel's own end of a tunnel.
 *
 *     near: eth0 10.98.0.1, fd98::1 ═══ veth ═══ far: eth0 10.98.0.2, fd98::2
 *
 * Neighbours are given, and the kernel says nothing of its own that a test would have to look past.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Errno } from '../../src/linux/errno.js';
import { check, closeFile, libc } from '../../src/linux/libc.js';
import { withNamespace } from '../../src/linux/netns.js';
import { PollEvents, PollSet } from '../../src/linux/poll.js';
import { MSG_DONTWAIT, SOCKADDR_BYTES } from '../../src/linux/socket-abi.js';
import { SocketLevel, SocketOption, UdpOption } from '../../src/linux/udp-abi.js';
import { openUdp, socketAddress } from '../../src/linux/udp-socket.js';

export type Family = 4 | 6;

export const NEAR: Record<Family, string> = { 4: '10.98.0.1', 6: 'fd98::1' };
export const FAR: Record<Family, string> = { 4: '10.98.0.2', 6: 'fd98::2' };

const MACS = { near: '02:00:00:00:98:01', far: '02:00:00:00:98:02' };
const SIDES = ['near', 'far'] as const;

const ROOM = 65_535;
const BUFFER_BYTES = 8 << 20;

export function run(program: string, ...words: string[]): string {
  return execFileSync(program, words, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

let made = 0;

export class VethPair {
  private readonly prefix = `pwu${process.pid}x${made++}`;
  readonly near = `${this.prefix}n`;
  readonly far = `${this.prefix}f`;

  constructor(readonly mtu = 1500) {
    try {
      this.make();
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** ethtool -K on both ends. */
  features(...words: string[]): void {
    for (const side of SIDES) run('ip', 'netns', 'exec', this[side], 'ethtool', '-K', 'eth0', ...words);
  }

  remove(): void {
    for (const side of SIDES) {
      try {
        run('ip', 'netns', 'del', this[side]);
      } catch {
        // It was never made.
      }
    }
  }

  private make(): void {
    for (const side of SIDES) {
      run('ip', 'netns', 'add', this[side]);
      withNamespace(this[side], () => {
        // No router solicitations, no listener reports for an address that is being checked.
        writeFileSync('/proc/sys/net/ipv6/conf/default/accept_dad', '0');
        writeFileSync('/proc/sys/net/ipv6/conf/default/router_solicitations', '0');
      });
    }
    const peer = ['peer', 'name', 'eth0', 'address', MACS.far, 'netns', this.far];
    run('ip', '-n', this.near, 'link', 'add', 'eth0', 'address', MACS.near, 'type', 'veth', ...peer);
    for (const [index, side] of SIDES.entries()) {
      const other = SIDES[1 - index];
      const own = side === 'near' ? NEAR : FAR;
      const others = side === 'near' ? FAR : NEAR;
      const batch = [
        'link set lo up',
        `link set eth0 mtu ${this.mtu} up`,
        `addr add ${own[4]}/24 dev eth0`,
        `addr add ${own[6]}/64 dev eth0 nodad`,
        `neigh replace ${others[4]} lladdr ${MACS[other]} dev eth0 nud permanent`,
        `neigh replace ${others[6]} lladdr ${MACS[other]} dev eth0 nud permanent`,
      ];
      execFileSync('ip', ['-n', this[side], '-batch', '-'], { input: batch.join('\n'), stdio: 'pipe' });
    }
  }
}

export interface Received {
  readonly bytes: Uint8Array;
  /** The sender's port. */
  readonly port: number;
}

/** A UDP socket that has nothing to do with podwire's. */
export class PlainUdp {
  private readonly fd: number;
  private readonly buffer = new Uint8Array(new ArrayBuffer(ROOM));
  private readonly from = new Uint8Array(new ArrayBuffer(SOCKADDR_BYTES));
  private readonly fromLength = new Int32Array(new ArrayBuffer(4));
  private readonly to: Uint8Array;
  private readonly arrivals = new PollSet(1);

  /** Bound to an address of the namespace; what it sends goes to another. */
  constructor(namespace: string, address: string, port: number, to: string, toPort: number) {
    const local = socketAddress(address, port);
    this.to = socketAddress(to, toPort).encoded;
    this.fd = withNamespace(namespace, () => openUdp(local.family));
    check(libc().bind(this.fd, local.encoded, local.encoded.length), 'bind', address);
    this.option(SocketLevel.SOL_SOCKET, SocketOption.SO_RCVBUFFORCE, BUFFER_BYTES);
    this.option(SocketLevel.SOL_SOCKET, SocketOption.SO_SNDBUFFORCE, BUFFER_BYTES);
    this.arrivals.set(0, this.fd, PollEvents.POLLIN);
  }

  option(level: number, option: number, value: number): void {
    check(libc().setsockopt(this.fd, level, option, Int32Array.of(value), 4), 'setsockopt');
  }

  /** What it sends from now on is cut into datagrams of that length. */
  segment(size: number): void {
    this.option(SocketLevel.SOL_UDP, UdpOption.UDP_SEGMENT, size);
  }

  send(bytes: Uint8Array): void {
    check(libc().sendto(this.fd, bytes, bytes.length, 0, this.to, this.to.length), 'sendto');
  }

  /** All that has arrived, and arrives until nothing has for `quietMs`. */
  receive(quietMs = 10): Received[] {
    const received: Received[] = [];
    do {
      for (let length = this.take(); length >= 0; length = this.take()) {
        const port = this.from[2] * 256 + this.from[3];
        received.push({ bytes: this.buffer.slice(0, length), port });
      }
    } while (this.arrivals.wait(quietMs) > 0);
    return received;
  }

  /** Sends back what has arrived, without an allocation. */
  turn(): void {
    for (let length = this.take(); length >= 0; length = this.take()) {
      libc().sendto(this.fd, this.buffer, length, 0, this.to, this.to.length);
    }
  }

  close(): void {
    closeFile(this.fd);
  }

  /** Bytes of the next datagram, or -1 where there is none. */
  private take(): number {
    this.fromLength[0] = this.from.length;
    const length = libc().recvfrom(this.fd, this.buffer, ROOM, MSG_DONTWAIT, this.from, this.fromLength);
    if (length < 0 && libc().errno() === Errno.EAGAIN) return -1;
    return check(length, 'recvfrom');
  }
}
