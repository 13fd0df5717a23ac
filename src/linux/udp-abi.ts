/**
 * Numbers and structures of UDP sockets, from asm-generic/socket.h, linux/in.h, linux/in6.h, linux/udp.h and
 * linux/filter.h, under their names there; the same on x86-64 and arm64.
 */

export const SOCK_DGRAM = 2;

export const SocketLevel = { SOL_IP: 0, SOL_SOCKET: 1, SOL_UDP: 17, SOL_IPV6: 41 } as const;

/** Options of SOL_SOCKET. */
export const SocketOption = {
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_ATTACH_FILTER: 26,
  /** Beyond net.core.wmem_max and rmem_max; they need CAP_NET_ADMIN. */
  SO_SNDBUFFORCE: 32,
  SO_RCVBUFFORCE: 33,
} as const;

/** Options of SOL_IP. */
export const IpOption = { IP_MTU_DISCOVER: 10, IP_MTU: 14, IP_PMTUDISC_DO: 2 } as const;

/** Options of SOL_IPV6. */
export const Ipv6Option = {
  IPV6_MTU_DISCOVER: 23,
  IPV6_MTU: 24,
  IPV6_V6ONLY: 26,
  IPV6_PMTUDISC_DO: 2,
} as const;

/** Options and control messages of SOL_UDP. */
export const UdpOption = {
  /** Take IPv6 datagrams whose checksum is zero. */
  UDP_NO_CHECK6_RX: 102,
  /** The length of each datagram that a message is cut into; a 16-bit control message. */
  UDP_SEGMENT: 103,
  /** Take several datagrams of a flow as one message; their length comes as an int in a control message. */
  UDP_GRO: 104,
} as const;

/** The kernel cuts a message into no more datagrams than this (UDP_MAX_SEGMENTS of Linux 4.18 to 6.8). */
export const UDP_MAX_SEGMENTS = 64;

/** Payload of the largest UDP datagram over IPv4: 65,535 without the headers of IPv4 and UDP (20 and 8). */
export const UDP_MAX_PAYLOAD = 65_507;

/** msghdr.msg_flags: the message was longer than its buffer. */
export const MSG_TRUNC = 0x20;

/** struct sock_filter { u16 code; u8 jt, jf; u32 k } of `ret #0`: take nothing of the packet, so drop it. */
export const BPF_DROP_ALL = Uint8Array.of(0x06, 0, 0, 0, 0, 0, 0, 0);

/** struct sock_fprog { u16 len; u64 filter } in words: the length, nothing, and the address. */
export const FPROG_WORDS = 4;
