/**
 * What the kernel knows of the path to an address: the MTU of the route, or less, once a router has said so
 * (Path MTU Discovery: RFC 1191, RFC 8201). Asked of a connected UDP socket, which sends nothing.
 */
import { check, closeFile, libc, nativeArray } from './libc.js';
import { AddressFamily } from './socket-abi.js';
import { IpOption, Ipv6Option, SocketLevel } from './udp-abi.js';
import { openUdp, socketAddress } from './udp-socket.js';

/**
 * The largest IP packet (bytes) that reaches `address` from `localAddress` whole, as far as the kernel knows.
 * Throws SystemError: ENETUNREACH without a route, EADDRNOTAVAIL where `localAddress` is not this host's.
 */
export function pathMtu(address: string, localAddress: string): number {
  const local = socketAddress(localAddress, 0);
  const remote = socketAddress(address, 9);
  const fd = openUdp(local.family);
  try {
    const { bind, connect } = libc();
    check(bind(fd, local.encoded, local.encoded.length), 'bind', localAddress);
    check(connect(fd, remote.encoded, remote.encoded.length), 'connect', address);
    return readMtu(fd, local.family);
  } finally {
    closeFile(fd);
  }
}

function readMtu(fd: number, family: number): number {
  const value = nativeArray(1);
  const length = nativeArray(1);
  length[0] = 4;
  const isIpv4 = family === AddressFamily.AF_INET;
  const level = isIpv4 ? SocketLevel.SOL_IP : SocketLevel.SOL_IPV6;
  const option = isIpv4 ? IpOption.IP_MTU : Ipv6Option.IPV6_MTU;
  check(
    libc().getsockopt(fd, level, option, value, length),
    isIpv4 ? 'getsockopt IP_MTU' : 'getsockopt IPV6_MTU',
  );
  return value[0]!;
}
