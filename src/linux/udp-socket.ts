/**
 * The sockets of a tunnel over UDP, all bound to one local address: one that receives on the tunnel's port, and
 * several that send.
 *
 * A UDP socket has one source port, and the source port is what tells the flows of a tunnel apart on their way
 * (RFC 7348 section 5: ECMP, receive queues). So there are several senders, each on a port of its own in
 * 49152-65535, the range that the RFC recommends, and a flow's hash chooses among them. Nobody has anything to
 * say to those ports: a filter drops what comes, before it takes memory.
 *
 * Senders set "don't fragment" and follow the path MTU (IP_PMTUDISC_DO): a datagram that is too big for the path
 * is refused with EMSGSIZE here, instead of being cut on the way. Checksums are the kernel's, both ways; UDP
 * over IPv6 without checksum is taken, as a VXLAN endpoint must (RFC 7348 section 5).
 *
 * Sockets are made in the network namespace of the calling thread, and stay in it.
 */
import { randomInt } from 'node:crypto';
import { Errno, LinuxError, SystemError } from './errno.js';
import { check, closeFile, libc, nativeArray } from './libc.js';
import { MemoryAddress } from './memory.js';
import { AddressFamily, inetAddress, SocketType } from './socket-abi.js';
import * as abi from './udp-abi.js';
import { IpOption, Ipv6Option, SocketLevel, SocketOption, UdpOption } from './udp-abi.js';

/** Senders: more than the flows that a path of several links could keep apart anyway. */
export const TUNNEL_SOURCES = 16;

/** The dynamic ports (RFC 6335 section 6), which RFC 7348 recommends for the source. */
const FIRST_SOURCE = 49_152;
const LAST_SOURCE = 65_535;

/** Our own: what arrives, or waits for the network card, in some milliseconds in which the worker does not run. */
const BUFFER_BYTES = 8 << 20;

/** How long the port may be held by one who is gone, and how often we ask. */
const RELEASE_MS = 500;
const BUSY_RETRY_MS = 2;

export interface TunnelSocketOptions {
  /** An IPv4 or IPv6 address of this host. */
  readonly address: string;
  /** The UDP port that is received on. */
  readonly port: number;
  /** How many sockets send, 1 to 16; default 16. */
  readonly sources?: number;
  /**
   * How long to wait, blocking the thread, for a port whose owner is still going away; default 500. The ring of a
   * killed daemon lets go of its socket only when the kernel has cleaned it up, some 40 ms later (measured).
   */
  readonly busyMs?: number;
}

export interface TunnelSockets {
  readonly family: 4 | 6;
  readonly address: string;
  /** The one that is received on. */
  readonly udpPort: number;
  readonly receiveFd: number;
  readonly sendFds: readonly number[];
  /** The source port of each sender: all different. */
  readonly sourcePorts: readonly number[];
  /** Whether the kernel hands over several datagrams of a flow as one message (UDP_GRO, Linux 5.0). */
  readonly coalesces: boolean;
}

/**
 * Opens them. Throws LinuxError TUNNEL_FAILED where the address or the port cannot be had, with what to do about
 * it, and SystemError for the rest.
 */
export function openTunnelSockets(options: TunnelSocketOptions): TunnelSockets {
  const { address, port, sources = TUNNEL_SOURCES, busyMs = RELEASE_MS } = options;
  if (!Number.isInteger(sources) || sources < 1 || sources > TUNNEL_SOURCES) {
    throw new RangeError(`sources: ${sources} is not 1 to ${TUNNEL_SOURCES}`);
  }
  const opened: number[] = [];
  try {
    const { receiveFd, coalesces } = openReceiver(address, port, busyMs, opened);
    const senders = openSenders(address, sources, opened);
    const family = socketAddress(address, port).family === AddressFamily.AF_INET ? 4 : 6;
    return { family, address, udpPort: port, receiveFd, coalesces, ...senders };
  } catch (error) {
    opened.forEach(closeFile);
    throw explain(error, address, port);
  }
}

/** Closes them all; of no use once a data plane has taken them over. */
export function closeTunnelSockets({ receiveFd, sendFds }: TunnelSockets): void {
  closeFile(receiveFd);
  sendFds.forEach(closeFile);
}

function openReceiver(address: string, port: number, busyMs: number, opened: number[]) {
  const { family, encoded } = socketAddress(address, port);
  const receiveFd = openUdp(family);
  opened.push(receiveFd);
  if (family === AddressFamily.AF_INET6) {
    setOption(receiveFd, SocketLevel.SOL_IPV6, Ipv6Option.IPV6_V6ONLY, 1, 'IPV6_V6ONLY');
    tryOption(receiveFd, SocketLevel.SOL_UDP, UdpOption.UDP_NO_CHECK6_RX, 1);
  }
  const { SO_RCVBUF, SO_RCVBUFFORCE } = SocketOption;
  growBuffer(receiveFd, SO_RCVBUFFORCE, SO_RCVBUF);
  const coalesces = tryOption(receiveFd, SocketLevel.SOL_UDP, UdpOption.UDP_GRO, 1);
  const errno = bindPatiently(receiveFd, encoded, busyMs);
  if (errno !== 0) throw new SystemError(errno, 'bind', `${address} port ${port}`);
  return { receiveFd, coalesces };
}

/** bind, again and again while the port is taken, for `busyMs` at most. Returns the errno, or 0. */
function bindPatiently(fd: number, encoded: Uint8Array, busyMs: number): number {
  const deadline = performance.now() + busyMs;
  for (;;) {
    if (libc().bind(fd, encoded, encoded.length) === 0) return 0;
    const errno = libc().errno();
    if (errno !== Errno.EADDRINUSE || performance.now() >= deadline) return errno;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BUSY_RETRY_MS);
  }
}

function openSenders(address: string, count: number, opened: number[]) {
  const sendFds: number[] = [];
  const sourcePorts: number[] = [];
  while (sendFds.length < count) {
    const { family } = socketAddress(address, 0);
    const fd = openUdp(family);
    opened.push(fd);
    dropWhatComes(fd);
    followPathMtu(fd, family);
    growBuffer(fd, SocketOption.SO_SNDBUFFORCE, SocketOption.SO_SNDBUF);
    sourcePorts.push(bindToFreePort(fd, address));
    sendFds.push(fd);
  }
  return { sendFds, sourcePorts };
}

/** From a random port on, so that those of a daemon which was here before are seldom met again. */
function bindToFreePort(fd: number, address: string): number {
  const range = LAST_SOURCE - FIRST_SOURCE + 1;
  const first = randomInt(range);
  for (let tried = 0; tried < range; tried++) {
    const port = FIRST_SOURCE + ((first + tried) % range);
    const { encoded } = socketAddress(address, port);
    if (libc().bind(fd, encoded, encoded.length) === 0) return port;
    const errno = libc().errno();
    if (errno !== Errno.EADDRINUSE) throw new SystemError(errno, 'bind', `${address} port ${port}`);
  }
  throw new SystemError(Errno.EADDRINUSE, 'bind', `${address} ports ${FIRST_SOURCE} to ${LAST_SOURCE}`);
}

/** Before the socket has a port, so that nothing comes before it. */
function dropWhatComes(fd: number): void {
  // The program and its one instruction in one buffer, which lives for as long as the call takes it.
  const program = nativeArray(abi.FPROG_WORDS + abi.BPF_DROP_ALL.length / 4);
  const instruction = abi.FPROG_WORDS * 4;
  new Uint8Array(program.buffer).set(abi.BPF_DROP_ALL, instruction);
  const address = new MemoryAddress(program.buffer);
  program[0] = 1;
  program[2] = address.low(instruction);
  program[3] = address.high(instruction);
  const { SO_ATTACH_FILTER, SO_RCVBUF } = SocketOption;
  check(
    libc().setsockopt(fd, SocketLevel.SOL_SOCKET, SO_ATTACH_FILTER, program, abi.FPROG_WORDS * 4),
    'setsockopt SO_ATTACH_FILTER',
  );
  // The kernel makes the smallest buffer that there is out of it.
  setOption(fd, SocketLevel.SOL_SOCKET, SO_RCVBUF, 0, 'SO_RCVBUF');
}

function followPathMtu(fd: number, family: number): void {
  if (family === AddressFamily.AF_INET) {
    const { IP_MTU_DISCOVER, IP_PMTUDISC_DO } = IpOption;
    setOption(fd, SocketLevel.SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, 'IP_MTU_DISCOVER');
  } else {
    const { IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO, IPV6_V6ONLY } = Ipv6Option;
    setOption(fd, SocketLevel.SOL_IPV6, IPV6_V6ONLY, 1, 'IPV6_V6ONLY');
    setOption(fd, SocketLevel.SOL_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO, 'IPV6_MTU_DISCOVER');
  }
}

/** As large as the system lets us, where it does not let us have what we ask for. */
function growBuffer(fd: number, force: number, ordinary: number): void {
  if (tryOption(fd, SocketLevel.SOL_SOCKET, force, BUFFER_BYTES)) return;
  setOption(fd, SocketLevel.SOL_SOCKET, ordinary, BUFFER_BYTES, 'SO_SNDBUF or SO_RCVBUF');
}

/** A UDP socket of AddressFamily; throws SystemError. */
export function openUdp(family: number): number {
  return check(libc().socket(family, abi.SOCK_DGRAM | SocketType.SOCK_CLOEXEC, 0), 'socket SOCK_DGRAM');
}

/** The structure that the kernel takes for an address and a port; throws SystemError EINVAL for other text. */
export function socketAddress(address: string, port: number): { family: number; encoded: Uint8Array } {
  const family = address.includes(':') ? AddressFamily.AF_INET6 : AddressFamily.AF_INET;
  const octets = new Uint8Array(family === AddressFamily.AF_INET ? 4 : 16);
  if (libc().inetPton(family, address, octets) !== 1) {
    throw new SystemError(Errno.EINVAL, 'inet_pton', address);
  }
  const encoded = inetAddress(octets);
  encoded[2] = port >> 8;
  encoded[3] = port & 255;
  return { family, encoded };
}

function setOption(fd: number, level: number, option: number, value: number, name: string): void {
  check(libc().setsockopt(fd, level, option, Int32Array.of(value), 4), `setsockopt ${name}`);
}

function tryOption(fd: number, level: number, option: number, value: number): boolean {
  return libc().setsockopt(fd, level, option, Int32Array.of(value), 4) === 0;
}

function explain(error: unknown, address: string, port: number): unknown {
  if (!(error instanceof SystemError)) return error;
  const failed = (hint: string): LinuxError =>
    new LinuxError(
      'TUNNEL_FAILED',
      `cannot open the tunnel at ${address} port ${port}: ${error.message}; ${hint}`,
      error,
    );
  switch (error.errno) {
    case Errno.EADDRNOTAVAIL:
      return failed("the address is not this host's: `ip address` shows those it has");
    case Errno.EADDRINUSE:
      return failed(
        'the UDP port is taken, by another daemon or by the kernel: `ss -lnu` and `ip -d link show type vxlan` show by whom',
      );
    case Errno.EACCES:
    case Errno.EPERM:
      return failed('the port may not be used without privilege (CAP_NET_BIND_SERVICE)');
    case Errno.EINVAL:
      return failed('it is not an address that a tunnel can have');
    default:
      return error;
  }
}
