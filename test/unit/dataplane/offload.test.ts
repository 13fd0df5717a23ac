// In scapy's expressions: P0 = '02:70:00:00:00:10', P1 = '02:70:00:00:00:11', A0 = '10.0.0.10', A1 = '10.0.0.11',
// S0 = 'fd00::10', S1 = 'fd00::11'. Checksums do not matter here: nobody looks at them.
import { describe, expect, it } from 'vitest';
import { DROP } from '../../../src/dataplane/drop-reasons.js';
import { parsePacket } from '../../../src/dataplane/elements/parse.js';
import { segmentLength } from '../../../src/dataplane/offload.js';
import { PACKET, PacketPool } from '../../../src/dataplane/pool.js';
import { GSO } from '../../../src/wire/virtio-net.js';
import { bytes } from './router-fixture.js';

// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst=A1)/TCP(options=[('Timestamp',(1,2))])/bytes(200)
const TCP_4 = bytes(`
  0270000000110270000000100800450000fc00010000400665e70a00000a0a00000b00140050000000000000000080022000
  42890000080a0000000100000002000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  00000000000000000000000000000000
`);
// scapy: Ether(src=P0,dst=P1)/IPv6(src=S0,dst=S1)/TCP()/bytes(200)
const TCP_6 = bytes(`
  02700000001102700000001086dd6000000000dc0640fd000000000000000000000000000010fd0000000000000000000000
  0000001100140050000000000000000050022000949400000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  000000000000000000000000000000000000000000000000
`);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst=A1)/UDP()/bytes(200)
const UDP_4 = bytes(`
  0270000000110270000000100800450000e400010000401165f40a00000a0a00000b0035003500d0e9cf0000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  000000000000000000000000000000000000000000000000000000000000000000000000000000000000
`);
// scapy: Ether(src=P0,dst=P1)/IPv6(src=S0,dst=S1)/IPv6ExtHdrDestOpt()/UDP()/bytes(200)
const UDP_6 = bytes(`
  02700000001102700000001086dd6000000000d83c40fd000000000000000000000000000010fd0000000000000000000000
  0000001111000104000000000035003500d003c2000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000
`);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst=A1)/UDP()/bytes(4)/Padding(bytes(14))
const PADDED = bytes(`
  02700000001102700000001008004500002000010000401166b80a00000a0a00000b00350035000ceb570000000000000000
  00000000000000000000
`);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst=A1,flags='MF')/UDP()/bytes(200)
const FRAGMENT = bytes(`
  0270000000110270000000100800450000e400012000401145f40a00000a0a00000b0035003500d0e9cf0000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  000000000000000000000000000000000000000000000000000000000000000000000000000000000000
`);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst=A1,frag=9,proto=17)/bytes(200)
const LATER = bytes(`
  0270000000110270000000100800450000dc00010009401165f30a00000a0a00000b00000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000
  00000000000000000000000000000000000000000000000000000000000000000000
`);
// scapy: Ether(src=P0,dst=P1)/IPv6(src=S0,dst=S1)/ICMPv6EchoRequest(id=1,seq=1)
const ICMP_6 = bytes(`
  02700000001102700000001086dd6000000000083a40fd000000000000000000000000000010fd0000000000000000000000
  000000118000859800010001
`);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst=A1)/GRE()/IP(src=A0,dst=A1)/UDP()/bytes(20)
const GRE_4 = bytes(`
  02700000001102700000001008004500004800010000402f66720a00000a0a00000b000008004500003000010000401166a8
  0a00000a0a00000b00350035001ceb370000000000000000000000000000000000000000
`);
// scapy: Ether(src=P0,dst=P1)/ARP(op=1,hwsrc=P0,psrc=A0,hwdst=NONE,pdst=A1)
const ARP_4 = bytes('027000000011027000000010080600010800060400010270000000100a00000a0000000000000a00000b');
// scapy: Ether(src=P0,dst=P1,type=0x88b5)/bytes(40)
const OTHER = bytes(`
  02700000001102700000001088b5000000000000000000000000000000000000000000000000000000000000000000000000
  00000000
`);

interface Facts {
  readonly partial?: boolean;
  readonly gso?: number;
  readonly size?: number;
  readonly start?: number;
  readonly offset?: number;
}

function parse(frame: Uint8Array, facts: Facts): { pool: PacketPool; slot: number; isSound: boolean } {
  const { partial = true, gso = GSO.NONE, size = 0, start = 34, offset = 16 } = facts;
  const pool = new PacketPool(1);
  const slot = pool.take();
  pool.bytes.set(frame, pool.at[slot]);
  pool.reset(slot, frame.length, 0);
  pool.flags[slot] = partial ? PACKET.PARTIAL_CHECKSUM : 0;
  pool.gsoType[slot] = gso;
  pool.gsoSize[slot] = size;
  pool.checksumStart[slot] = start;
  pool.checksumOffset[slot] = offset;
  const verdict = parsePacket(pool, slot);
  expect([-1, DROP['bad-offload']]).toContain(verdict);
  return { pool, slot, isSound: verdict === -1 };
}

describe('offload facts', () => {
  it.each<[string, Uint8Array, Facts]>([
    ['none, whatever the rest says', UDP_4, { partial: false, start: 9999, offset: 9999 }],
    ['TCP', TCP_4, { start: 34, offset: 16 }],
    ['TCP over IPv6', TCP_6, { start: 54, offset: 16 }],
    ['UDP', UDP_4, { start: 34, offset: 6 }],
    ['UDP behind an extension header', UDP_6, { start: 62, offset: 6 }],
    ['the last two octets', UDP_4, { start: 34, offset: 206 }],
    ['an inner UDP header in GRE', GRE_4, { start: 58, offset: 6 }],
    ['ICMPv6', ICMP_6, { start: 54, offset: 2 }],
    ['another protocol', OTHER, { start: 14, offset: 0 }],
    ['TSO over IPv4', TCP_4, { gso: GSO.TCPV4, size: 48 }],
    ['TSO with ECN', TCP_4, { gso: GSO.TCPV4 | GSO.ECN, size: 100 }],
    ['TSO over IPv6', TCP_6, { gso: GSO.TCPV6, size: 100, start: 54 }],
    ['USO over IPv4', UDP_4, { gso: GSO.UDP_L4, size: 100, offset: 6 }],
    ['USO over IPv6', UDP_6, { gso: GSO.UDP_L4, size: 100, start: 62, offset: 6 }],
    ['segments longer than the packet', TCP_4, { gso: GSO.TCPV4, size: 65_535 }],
  ])('are sound: %s', (_, frame, facts) => {
    expect(parse(frame, facts).isSound).toBe(true);
  });

  it.each<[string, Uint8Array, Facts]>([
    ['a sum before the network header', UDP_4, { start: 0, offset: 6 }],
    ['a store into the IPv4 source address', UDP_4, { start: 14, offset: 12 }],
    ['a sum that begins in the IPv4 header and ends in the payload', UDP_4, { start: 30, offset: 100 }],
    ['a store into a UDP port', UDP_4, { start: 34, offset: 0 }],
    ['a store into the UDP length', UDP_4, { start: 34, offset: 5 }],
    ['a store into TCP’s data offset', TCP_4, { start: 34, offset: 12 }],
    ['a store half beyond the packet', UDP_4, { start: 34, offset: 207 }],
    ['a store into the padding', PADDED, { start: 34, offset: 11 }],
    ['a store far beyond', UDP_4, { start: 65_535, offset: 65_535 }],
    ['a store into the IPv6 source address', UDP_6, { start: 14, offset: 8 }],
    ['a store into an extension header', UDP_6, { start: 54, offset: 0 }],
    ['a store into an ICMPv6 type', ICMP_6, { start: 54, offset: 0 }],
    ['a store into an ICMPv6 message', ICMP_6, { start: 54, offset: 4 }],
    ['a store into ARP', ARP_4, { start: 14, offset: 14 }],
    ['a later fragment', LATER, { start: 34, offset: 6 }],
    ['another protocol, before its payload', OTHER, { start: 12, offset: 2 }],
    ['segments without a partial checksum', TCP_4, { partial: false, gso: GSO.TCPV4, size: 100 }],
    ['segments of no size', TCP_4, { gso: GSO.TCPV4, size: 0 }],
    ['segments too small to be meant', TCP_4, { gso: GSO.TCPV4, size: 47 }],
    ['TSO for IPv6 over IPv4', TCP_4, { gso: GSO.TCPV6, size: 100 }],
    ['TSO for IPv4 over IPv6', TCP_6, { gso: GSO.TCPV4, size: 100, start: 54 }],
    ['TSO of UDP', UDP_4, { gso: GSO.TCPV4, size: 100, offset: 6 }],
    ['USO of TCP', TCP_4, { gso: GSO.UDP_L4, size: 100 }],
    ['USO of a fragment', FRAGMENT, { gso: GSO.UDP_L4, size: 100, offset: 6 }],
    ['UFO, which makes fragments', UDP_4, { gso: GSO.UDP, size: 100, offset: 6 }],
    ['a GSO type that nobody knows', TCP_4, { gso: 77, size: 100 }],
    ['a checksum elsewhere than TCP’s', TCP_4, { gso: GSO.TCPV4, size: 100, offset: 20 }],
    ['a sum that begins behind TCP’s header', TCP_4, { gso: GSO.TCPV4, size: 100, start: 36, offset: 14 }],
    ['segments of ARP', ARP_4, { gso: GSO.TCPV4, size: 100 }],
    ['segments of another protocol', OTHER, { gso: GSO.UDP_L4, size: 100 }],
  ])('are not sound: %s', (_, frame, facts) => {
    expect(parse(frame, facts).isSound).toBe(false);
  });
});

describe('segmentLength', () => {
  it.each<[string, Uint8Array, Facts, number]>([
    ['a packet that is one', UDP_4, { partial: false }, 228],
    ['TCP with options', TCP_4, { gso: GSO.TCPV4, size: 100 }, 20 + 32 + 100],
    ['TCP over IPv6', TCP_6, { gso: GSO.TCPV6, size: 100, start: 54 }, 40 + 20 + 100],
    [
      'UDP behind an extension header',
      UDP_6,
      { gso: GSO.UDP_L4, size: 60, start: 62, offset: 6 },
      48 + 8 + 60,
    ],
    ['a segment that would be longer than all', TCP_4, { gso: GSO.TCPV4, size: 1448 }, 252],
  ])('of %s', (_, frame, facts, length) => {
    const { pool, slot } = parse(frame, facts);
    expect(segmentLength(pool, slot)).toBe(length);
  });
});
