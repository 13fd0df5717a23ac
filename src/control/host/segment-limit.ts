/**
 * How large a packet the pods' kernels may leave uncut (`gso_max_size`), so that what becomes of it fits into one
 * message of the tunnel.
 *
 * A message carries at most 65,000 octets (dataplane/tunnel/open-bundles.ts): 44 segments of an MTU of 1,450. A packet
 * of 64 KiB has 47, and the three that do not fit cost a send, a receive and a write of their own: with the limit, one
 * TCP stream through a tunnel on one machine is a tenth faster.
 */
import { MAX_OCTETS } from '../../dataplane/tunnel/open-bundles.js';
import { HEADER_LENGTH as ETHERNET } from '../../wire/ethernet.js';
import { HEADER_LENGTH as IPV4 } from '../../wire/ipv4.js';
import { HEADER_LENGTH as TCP } from '../../wire/tcp.js';
import { HEADER_LENGTH as VXLAN } from '../../wire/vxlan.js';

/** The kernel's own: GSO_LEGACY_MAX_SIZE. */
export const MOST_GSO = 65_536;

/** Timestamps, which nearly every connection has (RFC 7323 section 3.2), padded to whole words. */
const TIMESTAMPS = 12;

/** What the kernel takes off for headers before it fills a packet: MAX_TCP_HEADER and one octet (net/ipv4/tcp.c). */
const RESERVED = 321;

/** @param mtu of the interface, bytes */
export function tunnelGsoSize(mtu: number): number {
  const segments = Math.max(1, Math.floor(MAX_OCTETS / (mtu + ETHERNET + VXLAN)));
  return Math.min(MOST_GSO, segments * (mtu - IPV4 - TCP - TIMESTAMPS) + RESERVED);
}
