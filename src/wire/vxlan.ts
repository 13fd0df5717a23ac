/**
 * VXLAN (RFC 7348 section 5): an Ethernet frame behind eight octets, as the payload of a UDP datagram.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |R|R|R|R|I|R|R|R|            Reserved                           |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                VXLAN Network Identifier (VNI) |   Reserved    |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * I says that the VNI is valid; a datagram without it is dropped. What is reserved is sent as 0 and ignored on
 * receipt.
 */

const FLAGS = 0;
const VNI = 4;

const FLAG_I = 0x08;

export const HEADER_LENGTH = 8;

/** UDP destination port that IANA has assigned. */
export const DEFAULT_PORT = 4789;

/** What the Linux kernel used before there was an assigned port, and flannel does to this day. */
export const LINUX_PORT = 8472;

/** Whether the VNI of the header at `at` means anything. */
export function hasVni(view: DataView, at: number): boolean {
  return (view.getUint8(at + FLAGS) & FLAG_I) !== 0;
}

export function vni(view: DataView, at: number): number {
  return view.getUint32(at + VNI) >>> 8;
}

/** Writes the eight octets. */
export function writeHeader(view: DataView, at: number, vni: number): void {
  view.setUint32(at + FLAGS, FLAG_I << 24);
  view.setUint32(at + VNI, vni << 8);
}
