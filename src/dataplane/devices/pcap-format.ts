/**
 * Numbers of the classic pcap format (IETF draft-ietf-opsawg-pcap): a file header of 24 octets, then for each
 * packet a header of 16 and the octets captured.
 *
 *    file:   magic u32 · major u16 · minor u16 · reserved u32 · reserved u32 · snaplen u32 · link type u32
 *    packet: seconds u32 · microseconds u32 · captured length u32 · original length u32
 */
export const MAGIC = {
  /** In the writer's octet order: also how a reader learns that order. */
  MICROSECONDS: 0xa1b2c3d4,
  NANOSECONDS: 0xa1b23c4d,
  /** The block type that begins a pcapng file, the same in both octet orders. */
  PCAPNG: 0x0a0d0d0a,
} as const;

export const VERSION_MAJOR = 2;
export const VERSION_MINOR = 4;

export const FILE_HEADER = 24;
export const PACKET_HEADER = 16;

/** The snapshot length that tcpdump uses, too: longer than any packet. */
export const SNAPLEN = 262_144;

export const LINKTYPE_ETHERNET = 1;
/** IPv4 or IPv6 without a link header, as on tunnels; the second is what BSD's numbers make of it. */
export const LINKTYPE_RAW = 101;
export const LINKTYPE_RAW_BSD = 12;
export const LINKTYPE_IPV4 = 228;
export const LINKTYPE_IPV6 = 229;
/** What `tcpdump -i any` writes: a header of 16 octets with the protocol at its end, or of 20 with it at the beginning. */
export const LINKTYPE_LINUX_SLL = 113;
export const LINKTYPE_LINUX_SLL2 = 276;
/** The upper bits of the link type tell of a frame check sequence. */
export const LINKTYPE_MASK = 0x0fff_ffff;
