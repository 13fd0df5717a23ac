/**
 * Raw sockets: ICMP messages and whole Ethernet frames, which Node's own sockets cannot send.
 *
 * For probes, one message at a time; not for forwarding, which has packet-socket.ts. They need CAP_NET_RAW in the user namespace of the
 * calling thread's network namespace, where the socket is made and stays. Addresses are octets in network
 * order, 4 or 16 of them.
 */
import { Errno, LinuxError, SystemError } from './errno.js';
import { check, closeFile, libc, nativeArray } from './libc.js';
import { PollEvents, PollSet } from './poll.js';
import * as abi from './socket-abi.js';
import { AddressFamily, Protocol, SocketOption, SocketType } from './socket-abi.js';

/** The largest IP packet, and an Ethernet header. */
const LARGEST_MESSAGE = 65_535 + 14;

export interface RawMessage {
  /**
   * The message: from an ICMP socket it begins with the IPv4 header, from an ICMPv6 socket with the ICMPv6
   * header, from a frame socket with the Ethernet header. Valid until the next receive.
   */
  readonly octets: Buffer;
  /** The sender's address; empty for frames. */
  readonly from: Uint8Array;
}

export class RawSocket {
  readonly #fd: number;
  readonly #poll = new PollSet(1);
  readonly #buffer = Buffer.from(new ArrayBuffer(LARGEST_MESSAGE));
  readonly #from = Buffer.from(new ArrayBuffer(abi.SOCKADDR_BYTES));
  readonly #fromLength = nativeArray(1);

  private constructor(family: number, protocol: number) {
    this.#fd = openSocket(family, protocol);
    this.#poll.set(0, this.#fd, PollEvents.POLLIN);
  }

  /** Sends and receives ICMP. The sender computes the checksum. Throws what the constructor of all throws. */
  static icmp(): RawSocket {
    return new RawSocket(AddressFamily.AF_INET, Protocol.IPPROTO_ICMP);
  }

  /** Sends and receives ICMPv6. The kernel computes the checksum (RFC 3542 section 3.1). */
  static icmpv6(): RawSocket {
    return new RawSocket(AddressFamily.AF_INET6, Protocol.IPPROTO_ICMPV6);
  }

  /** Sends and receives Ethernet frames of one interface. Throws INTERFACE_NOT_FOUND where there is none. */
  static frames(interfaceName: string): RawSocket {
    const index = libc().ifNameToIndex(interfaceName);
    if (index === 0) throw new LinuxError('INTERFACE_NOT_FOUND', `there is no interface '${interfaceName}'`);
    const socket = new RawSocket(AddressFamily.AF_PACKET, 0);
    const address = abi.linkAddress(index);
    try {
      check(libc().bind(socket.#fd, address, address.length), 'bind', interfaceName);
    } catch (error) {
      socket.close();
      throw error;
    }
    return socket;
  }

  /** The TTL of what is sent from now on, over IPv4. */
  setTtl(ttl: number): void {
    this.#setOption(SocketOption.SOL_IP, SocketOption.IP_TTL, ttl, 'setsockopt IP_TTL');
  }

  /** The hop limit of what is sent from now on, over IPv6. */
  setHopLimit(hopLimit: number): void {
    const { SOL_IPV6, IPV6_UNICAST_HOPS } = SocketOption;
    this.#setOption(SOL_IPV6, IPV6_UNICAST_HOPS, hopLimit, 'setsockopt IPV6_UNICAST_HOPS');
  }

  /** Over IPv4: Don't Fragment on all that is sent, whatever the kernel knows of the path. */
  neverFragment(): void {
    const { SOL_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE } = SocketOption;
    this.#setOption(SOL_IP, IP_MTU_DISCOVER, PMTUDISC_PROBE, 'setsockopt IP_MTU_DISCOVER');
  }

  /** The same over IPv6. */
  neverFragment6(): void {
    const { SOL_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE } = SocketOption;
    this.#setOption(SOL_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_PROBE, 'setsockopt IPV6_MTU_DISCOVER');
  }

  #setOption(level: number, option: number, value: number, call: string): void {
    check(libc().setsockopt(this.#fd, level, option, Int32Array.of(value), 4), call);
  }

  /** Sends a message: to an address, or, on a frame socket, out of its interface. Throws SystemError. */
  send(octets: Uint8Array, to?: Uint8Array): void {
    const address = to === undefined ? null : abi.inetAddress(to);
    check(libc().sendto(this.#fd, octets, octets.length, 0, address, address?.length ?? 0), 'sendto');
  }

  /** The next message, or undefined when none came within `timeoutMs` (0: only looks). Throws SystemError. */
  receive(timeoutMs: number): RawMessage | undefined {
    const ready = this.#poll.wait(timeoutMs);
    if (ready < 0) throw new SystemError(-ready, 'poll');
    return ready === 0 ? undefined : this.#take();
  }

  /** What was ready may be gone: the kernel discards messages with a wrong checksum at this moment. */
  #take(): RawMessage | undefined {
    this.#fromLength[0] = this.#from.length;
    const { recvfrom } = libc();
    const { MSG_DONTWAIT } = abi;
    const length = recvfrom(
      this.#fd,
      this.#buffer,
      this.#buffer.length,
      MSG_DONTWAIT,
      this.#from,
      this.#fromLength,
    );
    if (length < 0 && libc().errno() === Errno.EAGAIN) return undefined;
    check(length, 'recvfrom');
    return { octets: this.#buffer.subarray(0, length), from: abi.addressOf(this.#from) };
  }

  close(): void {
    closeFile(this.#fd);
  }
}

function openSocket(family: number, protocol: number): number {
  return check(
    libc().socket(family, SocketType.SOCK_RAW | SocketType.SOCK_CLOEXEC, protocol),
    'socket SOCK_RAW',
  );
}
