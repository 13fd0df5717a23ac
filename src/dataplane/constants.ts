/**
 * podwire's own tuning. Constants of the specifications stand beside their headers in src/wire.
 */

/** Largest packet a device may hand over: Ethernet with two tags and a 65,535-byte IP packet (bytes). */
export const MAX_FRAME = 14 + 8 + 65_535;

/**
 * Bytes kept free before a received frame, so that a virtio header, an ICMP error (48) or an outer
 * Ethernet/IPv6/UDP/VXLAN stack (70) is prepended in place.
 */
export const HEADROOM = 254;

/**
 * Bytes from one slot to the next. An odd multiple of 64, so that the headers of neighbouring slots fall
 * into different cache sets; with a page multiple all of them would compete for the same few.
 */
export const SLOT_SIZE = 1029 * 64;

/** A frame starts 2 past a multiple of 4, so that the IP header behind 14 bytes of Ethernet is aligned. */
export const FRAME_START = HEADROOM;

/** Most ports of one engine; port numbers are below it. */
export const MAX_PORTS = 4096;

/** Most peers (other nodes) of one engine; peer numbers are below it. */
export const MAX_PEERS = 16_384;

/**
 * Egress numbers from here on are peers, not ports: `PEER_EGRESS + peer`. So tables that lead to a port lead to a
 * peer as well.
 */
export const PEER_EGRESS = 0x8000;

/** Most packets that one device hands over in one poll cycle. */
export const DEVICE_BATCH = 64;

/**
 * Most packets that wait for one port within a cycle; more are dropped as `tx-queue-full`. Room for a 64 KiB packet
 * in the smallest segments (1,366 of 48 bytes) beside a batch.
 */
export const TX_QUEUE = 2048;

/** How long a learned MAC address or neighbour lives unused (ms); 300 s as in IEEE 802.1D-2004, 7.9.2. */
export const LEARNED_AGE = 300_000;

/** Learned MAC addresses and learned neighbours kept at most, over all domains. */
export const LEARNED_CAPACITY = 16_384;

/** Egress of a packet that is to be flooded and waits for its port's rate limit: no port and no peer. */
export const FLOOD_EGRESS = 0xfffe;

/** Most impairments of one port in one direction; a power of two. */
export const MAX_IMPAIRMENTS = 16;
