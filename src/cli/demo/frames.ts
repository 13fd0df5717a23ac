/**
 * Packets that no honest pod sends, each with the reason for which the switch has to drop it. Laid out octet
 * by octet here, so that the proof shares no code with what it proves.
 */
import type { DropReasonName } from '../../dataplane/drop-reasons.js';
import { macOctets, octetsOf } from './probe/address.js';
import { internetChecksum } from './probe/icmp.js';

export interface Party {
  readonly mac: string;
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface Forgery {
  /** What is wrong with it, for people. */
  readonly what: string;
  readonly reason: DropReasonName;
  readonly frame: Buffer;
}

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;
const UDP = 17;
const FOREIGN_MAC = '02:de:ad:be:ef:01';

/** `sender` pretends towards `victim`, at the UDP port given, to be somebody else: `other`. */
export function forgeries(sender: Party, victim: Party, other: Party, port: number): Forgery[] {
  const datagram = udp(port);
  const ipv4Packet = ipv4(sender.ipv4, victim.ipv4, datagram);
  return [
    {
      what: 'a foreign MAC address',
      reason: 'spoofed-mac',
      frame: ethernet(victim.mac, FOREIGN_MAC, ETHERTYPE.ipv4, ipv4Packet),
    },
    {
      what: "another pod's IPv4 address",
      reason: 'spoofed-ipv4',
      frame: ethernet(victim.mac, sender.mac, ETHERTYPE.ipv4, ipv4(other.ipv4, victim.ipv4, datagram)),
    },
    {
      what: "another pod's IPv6 address",
      reason: 'spoofed-ipv6',
      frame: ethernet(victim.mac, sender.mac, ETHERTYPE.ipv6, ipv6(other.ipv6, victim.ipv6, datagram)),
    },
    {
      what: "an ARP answer with another pod's address",
      reason: 'spoofed-arp',
      frame: ethernet(victim.mac, sender.mac, ETHERTYPE.arp, arpReply(sender.mac, other.ipv4, victim)),
    },
    {
      what: 'an IPv4 length beyond the packet',
      reason: 'malformed-ipv4',
      frame: ethernet(victim.mac, sender.mac, ETHERTYPE.ipv4, overlong(ipv4Packet)),
    },
  ];
}

export function ethernet(destination: string, source: string, type: number, payload: Buffer): Buffer {
  return Buffer.concat([macOctets(destination), macOctets(source), be16(type), payload]);
}

/** RFC 791: a header without options, TTL 64. */
export function ipv4(source: string, destination: string, payload: Buffer): Buffer {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + payload.length, 2);
  header[8] = 64;
  header[9] = UDP;
  header.set(octetsOf(source), 12);
  header.set(octetsOf(destination), 16);
  header.writeUInt16BE(internetChecksum(header), 10);
  return Buffer.concat([header, payload]);
}

/** The total length says 1000 octets more than there are; the checksum is right. */
function overlong(packet: Buffer): Buffer {
  const copy = Buffer.from(packet);
  copy.writeUInt16BE(copy.readUInt16BE(2) + 1000, 2);
  copy.writeUInt16BE(0, 10);
  copy.writeUInt16BE(internetChecksum(copy.subarray(0, 20)), 10);
  return copy;
}

/** RFC 8200: a fixed header, hop limit 64; the UDP checksum is put in here, as it must not be 0. */
function ipv6(source: string, destination: string, datagram: Buffer): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(datagram.length, 4);
  header[6] = UDP;
  header[7] = 64;
  header.set(octetsOf(source), 8);
  header.set(octetsOf(destination), 24);
  const pseudo = Buffer.concat([header.subarray(8), be16(0), be16(datagram.length), be16(0), be16(UDP)]);
  const payload = Buffer.from(datagram);
  payload.writeUInt16BE(internetChecksum(Buffer.concat([pseudo, datagram])), 6);
  return Buffer.concat([header, payload]);
}

/** A datagram without checksum, which IPv4 allows (RFC 768). */
export function udp(port: number): Buffer {
  const text = Buffer.from('forged');
  return Buffer.concat([be16(40_000), be16(port), be16(8 + text.length), be16(0), text]);
}

/** RFC 826: `claimed` is at `mac`. */
function arpReply(mac: string, claimed: string, to: Party): Buffer {
  const fixed = Buffer.from([0, 1, 8, 0, 6, 4, 0, 2]);
  return Buffer.concat([fixed, macOctets(mac), octetsOf(claimed), macOctets(to.mac), octetsOf(to.ipv4)]);
}

function be16(value: number): Buffer {
  return Buffer.from([value >>> 8, value & 0xff]);
}
