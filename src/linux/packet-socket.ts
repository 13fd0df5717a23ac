/**
 * Packet sockets for forwarding: the frames of a host's interface, each with a virtio header of 10 bytes before it in
 * which the kernel tells and is told of partial checksums and segmentation, as with a TAP. (raw-socket.ts sends single
 * messages, for probes.)
 *
 * - The interface is made to take frames for any MAC address (promiscuous) for as long as the socket is open.
 * - What this host itself sends out of the interface is not seen (PACKET_IGNORE_OUTGOING), neither our own frames nor
 *   other programs'; nor what is for the interface's own MAC address (packet-filter.ts). So the host and whoever is
 *   behind the socket do not reach each other through this interface, as with macvlan.
 * - The kernel takes 802.1Q tags out of frames before it hands them over, and tells of them beside (packet-message.ts).
 *
 * A socket is made in the calling thread's network namespace and stays in it, but does not keep the interface: one that
 * is deleted leaves the socket bound to nothing, which `boundInterface` says. One that goes down makes one read end
 * with ENETDOWN, and frames come again when it is up.
 *
 * Needs CAP_NET_RAW and CAP_NET_ADMIN in the user namespace of the network namespace.
 */
import { release } from 'node:os';
import { Errno, LinuxError, SystemError } from './errno.js';
import { check, closeFile, libc } from './libc.js';
import * as abi from './packet-abi.js';
import { InterfaceIoctl, PacketOption } from './packet-abi.js';
import { attachFilter, filterProgram } from './packet-filter.js';
import { AddressFamily, linkAddress, SocketType } from './socket-abi.js';
import { ARPHRD_ETHER, IFNAMSIZ, IFREQ_BYTES, IFREQ_FLAGS_AT, IFREQ_HWADDR_AT } from './tun-abi.js';
import { SocketLevel, SocketOption } from './udp-abi.js';

/** Our own: what arrives, or waits for the network card, in some milliseconds in which the worker does not run. */
const BUFFER_BYTES = 8 << 20;

/** SOCK_NONBLOCK of asm-generic/fcntl.h. */
const SOCK_NONBLOCK = 0x800;

/** UDP segmentation in a virtio header: VIRTIO_NET_HDR_GSO_UDP_L4, Linux 6.2. */
const USO_SINCE = [6, 2] as const;

export interface PacketSocketOptions {
  readonly ifname: string;
  /** 1 to 4094: frames of this 802.1Q VLAN alone. Without it: all, tagged or not. */
  readonly vlan?: number;
  /** O_NONBLOCK. With io_uring leave it off, or empty reads end with -EAGAIN. */
  readonly nonBlocking?: boolean;
}

export interface PacketSocketInfo {
  readonly fd: number;
  readonly name: string;
  readonly index: number;
  /** Largest network packet that the interface takes, bytes. */
  readonly mtu: number;
  /** MAC address of the interface, 6 bytes. */
  readonly address: Uint8Array;
  /** Whether it is administratively up: frames flow only then. */
  readonly isUp: boolean;
  /** Whether the kernel cuts UDP datagrams of several segments for us. */
  readonly takesUso: boolean;
}

/**
 * Opens one in the calling thread's network namespace. Throws LinuxError INTERFACE_NOT_FOUND, INTERFACE_NOT_ETHERNET
 * or PACKET_SOCKET_FORBIDDEN, else SystemError; nothing is left behind when it throws.
 */
export function openPacketSocket(options: PacketSocketOptions): PacketSocketInfo {
  const { ifname, nonBlocking = false } = options;
  const index = Buffer.byteLength(ifname) < IFNAMSIZ ? libc().ifNameToIndex(ifname) : 0;
  if (index === 0) {
    throw new LinuxError(
      'INTERFACE_NOT_FOUND',
      `there is no interface '${ifname}' (\`ip link\` shows those there are)`,
    );
  }
  // Without a protocol nothing is received until it is bound.
  const type = SocketType.SOCK_RAW | SocketType.SOCK_CLOEXEC | (nonBlocking ? SOCK_NONBLOCK : 0);
  try {
    const fd = check(libc().socket(AddressFamily.AF_PACKET, type, 0), 'socket AF_PACKET');
    return prepare(fd, index, options);
  } catch (error) {
    throw explain(error, ifname);
  }
}

function prepare(fd: number, index: number, { ifname, vlan }: PacketSocketOptions): PacketSocketInfo {
  try {
    const info = { fd, name: ifname, index, ...describe(fd, ifname), takesUso: isAtLeast(USO_SINCE) };
    setOption(fd, PacketOption.PACKET_VNET_HDR, 'PACKET_VNET_HDR');
    setOption(fd, PacketOption.PACKET_AUXDATA, 'PACKET_AUXDATA');
    setOption(fd, PacketOption.PACKET_IGNORE_OUTGOING, 'PACKET_IGNORE_OUTGOING');
    growBuffers(fd);
    check(attachFilter(fd, filterProgram(vlan)), 'setsockopt SO_ATTACH_FILTER');
    const address = linkAddress(index);
    check(libc().bind(fd, address, address.length), 'bind', ifname);
    takeEveryAddress(fd, index);
    return info;
  } catch (error) {
    closeFile(fd);
    throw error;
  }
}

/** The interface that the socket is bound to now, or -1 where it was deleted or has gone to another namespace. */
export function boundInterface(fd: number): number {
  const address = Buffer.alloc(abi.SOCKADDR_LL_BYTES);
  if (libc().getsockname(fd, address, Int32Array.of(address.length)) < 0) return -1;
  return address.readInt32LE(abi.SLL_IFINDEX_AT);
}

export type LinkState = 'up' | 'down' | 'gone';

/** Of the interface that the socket is bound to. The kernel takes "up" from one that it deletes before it says so. */
export function linkState(fd: number): LinkState {
  const index = boundInterface(fd);
  if (index < 0) return 'gone';
  const request = Buffer.alloc(IFREQ_BYTES);
  request.writeInt32LE(index, IFREQ_FLAGS_AT);
  // Gone since then, or about to be: the next look tells.
  if (libc().ioctl(fd, InterfaceIoctl.SIOCGIFNAME, request) < 0) return 'down';
  if (libc().ioctl(fd, InterfaceIoctl.SIOCGIFFLAGS, request) < 0) return 'down';
  return (request.readUInt16LE(IFREQ_FLAGS_AT) & abi.IFF_UP) !== 0 ? 'up' : 'down';
}

function describe(fd: number, ifname: string): Pick<PacketSocketInfo, 'mtu' | 'address' | 'isUp'> {
  const hardware = ask(fd, InterfaceIoctl.SIOCGIFHWADDR, ifname, 'SIOCGIFHWADDR');
  const kind = hardware.readUInt16LE(IFREQ_FLAGS_AT);
  if (kind !== ARPHRD_ETHER) {
    throw new LinuxError(
      'INTERFACE_NOT_ETHERNET',
      `interface ${ifname} carries no Ethernet frames (its link type is ${kind}): take a network card, a bridge, a veth or a TAP`,
    );
  }
  return {
    mtu: ask(fd, InterfaceIoctl.SIOCGIFMTU, ifname, 'SIOCGIFMTU').readInt32LE(IFREQ_FLAGS_AT),
    address: Uint8Array.from(hardware.subarray(IFREQ_HWADDR_AT, IFREQ_HWADDR_AT + 6)),
    isUp:
      (ask(fd, InterfaceIoctl.SIOCGIFFLAGS, ifname, 'SIOCGIFFLAGS').readUInt16LE(IFREQ_FLAGS_AT) &
        abi.IFF_UP) !==
      0,
  };
}

function ask(fd: number, ioctl: number, ifname: string, name: string): Buffer {
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(ifname);
  check(libc().ioctl(fd, ioctl, request), `ioctl ${name}`, ifname);
  return request;
}

function takeEveryAddress(fd: number, index: number): void {
  const request = Buffer.alloc(abi.PACKET_MREQ_BYTES);
  request.writeInt32LE(index, 0);
  request.writeUInt16LE(abi.PACKET_MR_PROMISC, 4);
  const { PACKET_ADD_MEMBERSHIP } = PacketOption;
  check(
    libc().setsockopt(fd, abi.SOL_PACKET, PACKET_ADD_MEMBERSHIP, request, request.length),
    'setsockopt PACKET_ADD_MEMBERSHIP',
  );
}

function setOption(fd: number, option: number, name: string): void {
  check(libc().setsockopt(fd, abi.SOL_PACKET, option, Int32Array.of(1), 4), `setsockopt ${name}`);
}

/** As large as the system lets us, where it does not let us have what we ask for. */
function growBuffers(fd: number): void {
  const size = Int32Array.of(BUFFER_BYTES);
  const { SO_RCVBUF, SO_RCVBUFFORCE, SO_SNDBUF, SO_SNDBUFFORCE } = SocketOption;
  for (const [force, ordinary] of [
    [SO_RCVBUFFORCE, SO_RCVBUF],
    [SO_SNDBUFFORCE, SO_SNDBUF],
  ] as const) {
    if (libc().setsockopt(fd, SocketLevel.SOL_SOCKET, force, size, 4) === 0) continue;
    check(
      libc().setsockopt(fd, SocketLevel.SOL_SOCKET, ordinary, size, 4),
      'setsockopt SO_RCVBUF, SO_SNDBUF',
    );
  }
}

/** Whether the running kernel is that version, or a later one. */
function isAtLeast([major, minor]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = release().split('.', 2).map(Number.parseFloat);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

function explain(error: unknown, ifname: string): unknown {
  if (!(error instanceof SystemError)) return error;
  switch (error.errno) {
    case Errno.EPERM:
    case Errno.EACCES:
      return new LinuxError(
        'PACKET_SOCKET_FORBIDDEN',
        `${error.message}; packet sockets need CAP_NET_RAW and CAP_NET_ADMIN (run as root)`,
        error,
      );
    case Errno.ENODEV:
    case Errno.ENXIO:
      return new LinuxError(
        'INTERFACE_NOT_FOUND',
        `interface ${ifname} has just gone: ${error.message}`,
        error,
      );
    default:
      return error;
  }
}
