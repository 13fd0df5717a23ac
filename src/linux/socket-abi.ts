/** Numbers and structures of sys/socket.h, linux/in.h, linux/in6.h and linux/if_packet.h, the same on x86-64 and arm64. */

export const AddressFamily = { AF_INET: 2, AF_INET6: 10, AF_PACKET: 17 } as const;

export const SocketType = { SOCK_RAW: 3, SOCK_CLOEXEC: 0x80000 } as const;

export const Protocol = { IPPROTO_ICMP: 1, IPPROTO_ICMPV6: 58 } as const;

export const MSG_DONTWAIT = 0x40;

/** setsockopt levels and options. */
export const SocketOption = {
  SOL_IP: 0,
  IP_TTL: 2,
  SOL_IPV6: 41,
  IPV6_UNICAST_HOPS: 16,
  IP_MTU_DISCOVER: 10,
  IPV6_MTU_DISCOVER: 23,
  /** Value of both: Don't Fragment, up to the interface's MTU. */
  PMTUDISC_PROBE: 3,
} as const;

/** All protocols, in an AF_PACKET address. */
export const ETH_P_ALL = 0x0003;

/** The largest structure of addresses that is used here: sockaddr_in6. */
export const SOCKADDR_BYTES = 28;

/** struct sockaddr_in { u16 family; be16 port; be32 address; zero[8] } or struct sockaddr_in6 { u16 family; be16 port; be32 flow; address[16]; u32 scope }, by the address's length: 4 or 16 octets. */
export function inetAddress(address: Uint8Array): Uint8Array {
  const isIpv4 = address.length === 4;
  const encoded = Buffer.alloc(isIpv4 ? 16 : 28);
  encoded.writeUInt16LE(isIpv4 ? AddressFamily.AF_INET : AddressFamily.AF_INET6, 0);
  encoded.set(address, isIpv4 ? 4 : 8);
  return encoded;
}

/** The address of what `inetAddress` encodes; empty for another family. */
export function addressOf(encoded: Buffer): Uint8Array {
  switch (encoded.readUInt16LE(0)) {
    case AddressFamily.AF_INET:
      return Uint8Array.from(encoded.subarray(4, 8));
    case AddressFamily.AF_INET6:
      return Uint8Array.from(encoded.subarray(8, 24));
    default:
      return new Uint8Array(0);
  }
}

/** struct sockaddr_ll { u16 family; be16 protocol; i32 ifindex; u16 hatype; u8 pkttype; u8 halen; addr[8] } */
export function linkAddress(interfaceIndex: number): Uint8Array {
  const encoded = Buffer.alloc(20);
  encoded.writeUInt16LE(AddressFamily.AF_PACKET, 0);
  encoded.writeUInt16BE(ETH_P_ALL, 2);
  encoded.writeInt32LE(interfaceIndex, 4);
  return encoded;
}
