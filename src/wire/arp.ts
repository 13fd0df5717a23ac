/**
 * ARP for IPv4 over Ethernet (RFC 826), the only combination in use: 28 octets.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |      Hardware type (1)        |     Protocol type (0x0800)    |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |  HW length 6  | Proto length 4|           Operation           |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                    Sender hardware address                    |
 *    +                               +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                               |    Sender protocol address    |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    | Sender protocol address (end) |                               |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
 *    |                    Target hardware address                    |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *    |                    Target protocol address                    |
 *    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * `at` is the offset of the ARP packet, behind the Ethernet header. MAC addresses are two numbers, as in
 * ethernet.ts; IPv4 addresses are unsigned 32-bit numbers.
 */

const HARDWARE_TYPE = 0;
const HARDWARE_LENGTH = 4;
const OPERATION = 6;
const SENDER_MAC = 8;
const SENDER_IP = 14;
const TARGET_MAC = 18;
const TARGET_IP = 24;

/** Octets of a packet; what follows in a frame is padding. */
export const LENGTH = 28;

export const OP = { REQUEST: 1, REPLY: 2 } as const;

/** Hardware type 1 and protocol type 0x0800; then lengths 6 and 4. */
const ETHERNET_IPV4 = 0x0001_0800;
const LENGTHS_6_4 = 0x0604;

/** True for IPv4 over Ethernet. The caller has checked that LENGTH octets are there. */
export function isEthernetIpv4(view: DataView, at: number): boolean {
  return (
    view.getUint32(at + HARDWARE_TYPE) === ETHERNET_IPV4 &&
    view.getUint16(at + HARDWARE_LENGTH) === LENGTHS_6_4
  );
}

export function operation(view: DataView, at: number): number {
  return view.getUint16(at + OPERATION);
}

export function senderMacHi(view: DataView, at: number): number {
  return view.getUint16(at + SENDER_MAC);
}

export function senderMacLo(view: DataView, at: number): number {
  return view.getUint32(at + SENDER_MAC + 2);
}

export function senderIp(view: DataView, at: number): number {
  return view.getUint32(at + SENDER_IP);
}

export function targetMacHi(view: DataView, at: number): number {
  return view.getUint16(at + TARGET_MAC);
}

export function targetMacLo(view: DataView, at: number): number {
  return view.getUint32(at + TARGET_MAC + 2);
}

export function targetIp(view: DataView, at: number): number {
  return view.getUint32(at + TARGET_IP);
}

/** A probe for a duplicate address (RFC 5227 2.1.1): its sender has no address yet, and learns none. */
export function isProbe(view: DataView, at: number): boolean {
  return senderIp(view, at) === 0;
}

/** An announcement (RFC 5227 2.3): sender and target are the same address. Also called gratuitous ARP. */
export function isAnnouncement(view: DataView, at: number): boolean {
  return senderIp(view, at) === targetIp(view, at);
}

/** Writes a whole packet of LENGTH octets. */
export function write(
  view: DataView,
  at: number,
  op: number,
  senderHi: number,
  senderLo: number,
  senderIp: number,
  targetHi: number,
  targetLo: number,
  targetIp: number,
): void {
  view.setUint32(at + HARDWARE_TYPE, ETHERNET_IPV4);
  view.setUint16(at + HARDWARE_LENGTH, LENGTHS_6_4);
  view.setUint16(at + OPERATION, op);
  view.setUint16(at + SENDER_MAC, senderHi);
  view.setUint32(at + SENDER_MAC + 2, senderLo);
  view.setUint32(at + SENDER_IP, senderIp);
  view.setUint16(at + TARGET_MAC, targetHi);
  view.setUint32(at + TARGET_MAC + 2, targetLo);
  view.setUint32(at + TARGET_IP, targetIp);
}

/** Writes "who has `targetIp`? tell `senderIp`", with an empty target hardware address. */
export function writeRequest(
  view: DataView,
  at: number,
  senderHi: number,
  senderLo: number,
  senderIp: number,
  targetIp: number,
): void {
  write(view, at, OP.REQUEST, senderHi, senderLo, senderIp, 0, 0, targetIp);
}

/**
 * Turns the request at `at` into its reply in place: `hi`, `lo` is at the address that was asked for. This is
 * the exchange of fields of RFC 826, "Packet Reception".
 */
export function turnIntoReply(view: DataView, at: number, hi: number, lo: number): void {
  const asked = targetIp(view, at) | 0;
  const asker = senderIp(view, at) | 0;
  write(view, at, OP.REPLY, hi, lo, asked, senderMacHi(view, at), senderMacLo(view, at) | 0, asker);
}

/** Writes "`senderIp` is at `senderHi`, `senderLo`" for the host `target…`. */
export function writeReply(
  view: DataView,
  at: number,
  senderHi: number,
  senderLo: number,
  senderIp: number,
  targetHi: number,
  targetLo: number,
  targetIp: number,
): void {
  write(view, at, OP.REPLY, senderHi, senderLo, senderIp, targetHi, targetLo, targetIp);
}
