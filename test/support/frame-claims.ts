/**
 * Under which addresses a frame speaks: a decoder for judging the source guard, which shares no code with the
 * switch's own. Addresses are hexadecimal digits.
 */
export interface Claims {
  readonly mac: string;
  /** Source of the IP packet, sender of an ARP packet. */
  readonly ip?: string;
  /** MAC address that ARP or a link-layer option of neighbour discovery names as the speaker's. */
  readonly hardware: readonly string[];
  /** Address that a neighbour advertisement, or a solicitation from ::, claims. */
  readonly target?: string;
  /** IPv4 from 0.0.0.0: whether it is DHCP from a client. */
  readonly isDhcp: boolean;
  /** ICMPv6 type of a whole packet or a first fragment. */
  readonly icmpv6?: number;
}

const UNSPECIFIED = '0'.repeat(32);

export function claimsOf(frame: Uint8Array): Claims {
  const bytes = Buffer.from(frame);
  const mac = bytes.toString('hex', 6, 12);
  let at = 14;
  while (at + 4 <= bytes.length && [0x8100, 0x88a8].includes(bytes.readUInt16BE(at - 2))) at += 4;
  const type = bytes.readUInt16BE(at - 2);
  const packet = bytes.subarray(at);
  if (type === 0x0806) {
    return {
      mac,
      ip: packet.toString('hex', 14, 18),
      hardware: [packet.toString('hex', 8, 14)],
      isDhcp: false,
    };
  }
  if (type === 0x0800)
    return { mac, ip: packet.toString('hex', 12, 16), hardware: [], isDhcp: isDhcp(packet) };
  if (type === 0x86dd) return { mac, isDhcp: false, ...ipv6Claims(packet) };
  return { mac, hardware: [], isDhcp: false };
}

function isDhcp(packet: Buffer): boolean {
  const at = (packet[0] & 15) * 4;
  const isFirst = (packet.readUInt16BE(6) & 0x1fff) === 0;
  return isFirst && packet[9] === 17 && packet.readUInt32BE(at) === 0x0044_0043;
}

function ipv6Claims(packet: Buffer): Pick<Claims, 'ip' | 'hardware' | 'target' | 'icmpv6'> {
  const ip = packet.toString('hex', 8, 24);
  const message = icmpv6Message(packet.subarray(0, 40 + packet.readUInt16BE(4)));
  if (message === undefined) return { ip, hardware: [] };
  const icmpv6 = message[0];
  if (icmpv6 !== 135 && icmpv6 !== 136) return { ip, hardware: [], icmpv6 };
  const isClaim = icmpv6 === 136 || ip === UNSPECIFIED;
  const target = isClaim ? message.toString('hex', 8, 24) : undefined;
  return { ip, icmpv6, hardware: linkLayerOptions(message, icmpv6 === 136 ? 2 : 1), target };
}

/** The ICMPv6 message behind any extension headers; undefined for others and for later fragments. */
function icmpv6Message(packet: Buffer): Buffer | undefined {
  let next = packet[6];
  let at = 40;
  while ([0, 43, 44, 51, 60].includes(next)) {
    if (next === 44 && (packet.readUInt16BE(at + 2) & 0xfff8) !== 0) return undefined;
    const units = packet[at + 1];
    const length = next === 44 ? 8 : next === 51 ? (units + 2) * 4 : (units + 1) * 8;
    next = packet[at];
    at += length;
  }
  return next === 58 ? packet.subarray(at) : undefined;
}

function linkLayerOptions(message: Buffer, kind: number): string[] {
  const found: string[] = [];
  for (let at = 24; at + 8 <= message.length && message[at + 1] > 0; at += message[at + 1] * 8) {
    if (message[at] === kind) found.push(message.toString('hex', at + 2, at + 8));
  }
  return found;
}

/** Addresses of a port, as hexadecimal digits. */
export interface Owned {
  readonly mac: string;
  readonly gatewayMac: string;
  readonly ips: readonly string[];
}

const GROUP_REPORTS = [131, 132, 143];
const SOLICITATIONS = [133, 135];

/** What of the claims is not the port's own; '' where all is. */
export function foreignClaim(claims: Claims, own: Owned): string {
  const { mac, ip, hardware, target } = claims;
  if (mac !== own.mac && mac !== own.gatewayMac) return `MAC address ${mac}`;
  const stranger = hardware.find((address) => address !== own.mac);
  if (stranger !== undefined) return `hardware address ${stranger}`;
  if (target !== undefined && !own.ips.includes(target)) return `target ${target}`;
  if (ip === undefined || own.ips.includes(ip)) return '';
  return isNobody(claims) ? '' : `IP address ${ip}`;
}

/** Whether a packet may come from 0.0.0.0 or ::. */
function isNobody({ ip, hardware, isDhcp, icmpv6 }: Claims): boolean {
  if (ip === '00000000') return isDhcp || hardware.length > 0;
  if (ip !== UNSPECIFIED || icmpv6 === undefined) return false;
  return GROUP_REPORTS.includes(icmpv6) || SOLICITATIONS.includes(icmpv6);
}
