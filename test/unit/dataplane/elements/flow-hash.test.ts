// In scapy's expressions: P0, P1 = '02:70:00:00:00:10' and :11, GW = '02:70:00:00:ff:00', A0 = '10.0.0.10'.
import { describe, expect, it } from 'vitest';
import { FlowHash } from '../../../../src/dataplane/elements/flow-hash.js';
import { bytes } from '../router-fixture.js';
import { TunnelFixture } from '../tunnel-fixture.js';

// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst='10.21.0.5',id=1)/UDP(sport=1,dport=2)/b'one'
const UDP4 = bytes(
  '02700000001102700000001008004500001f00010000401166aa0a00000a0a15000500010002000b17436f6e65',
);
// scapy: Ether(src=P1,dst=GW)/IP(src=A0,dst='10.21.0.5',id=9,ttl=3,tos=8)/UDP(sport=1,dport=2)/b'another'
const UDP4_AGAIN = bytes(`
  02700000ff00027000000011080045080023000900000311a3960a00000a0a15000500010002000f4061616e6f74686572
`);
// scapy: Ether(src=P0,dst=P1)/IP(src='10.0.0.11',dst='10.21.0.5')/UDP(sport=1,dport=2)
const OTHER_SOURCE = bytes(
  '02700000001102700000001008004500001c00010000401166ac0a00000b0a150005000100020008ebb6',
);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst='10.21.0.6')/UDP(sport=1,dport=2)
const OTHER_TARGET = bytes(
  '02700000001102700000001008004500001c00010000401166ac0a00000a0a150006000100020008ebb6',
);
// scapy: Ether(src=P0,dst=P1)/IP(src='10.21.0.5',dst=A0)/UDP(sport=2,dport=1)
const BACK = bytes('02700000001102700000001008004500001c00010000401166ad0a1500050a00000a000200010008ebb7');
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst='10.21.0.5')/UDP(sport=1,dport=3)
const OTHER_PORT = bytes(
  '02700000001102700000001008004500001c00010000401166ad0a00000a0a150005000100030008ebb6',
);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst='10.21.0.5')/TCP(sport=1,dport=2)
const TCP4 = bytes(`
  02700000001102700000001008004500002800010000400666ac0a00000a0a15000500010002000000000000000050022000
  7bbc0000
`);
// scapy: Ether(src=P0,dst=P1)/IPv6(src='fd00::10',dst='fd00:21::5')/UDP(sport=1,dport=2)/b'one'
const UDP6 = bytes(`
  02700000001102700000001086dd60000000000b1140fd000000000000000000000000000010fd0000210000000000000000
  0000000500010002000b312f6f6e65
`);
// scapy: Ether(src=P0,dst=P1)/IPv6(src='fd00::10',dst='fd00:21::5',hlim=5,fl=7)/UDP(sport=1,dport=2)/b'another'
const UDP6_AGAIN = bytes(`
  02700000001102700000001086dd60000007000f1105fd000000000000000000000000000010fd0000210000000000000000
  0000000500010002000f5a4d616e6f74686572
`);
// scapy: Ether(src=P0,dst=P1)/IPv6(src='fd00::10',dst='fd00:21::6')/UDP(sport=1,dport=2)/b'one'
const OTHER_6 = bytes(`
  02700000001102700000001086dd60000000000b1140fd000000000000000000000000000010fd0000210000000000000000
  0000000600010002000b312e6f6e65
`);
// scapy: Ether(src=P0,dst=P1)/IPv6(src='fd00:21::5',dst='fd00::10')/UDP(sport=1,dport=2)/b'one'
const SWAPPED_6 = bytes(`
  02700000001102700000001086dd60000000000b1140fd000021000000000000000000000005fd0000000000000000000000
  0000001000010002000b312f6f6e65
`);
// scapy: Ether(src=P0,dst=P1)/IPv6(src='fd00::10',dst='fd00:21::5')/UDP(sport=1,dport=3)/b'one'
const OTHER_PORT_6 = bytes(`
  02700000001102700000001086dd60000000000b1140fd000000000000000000000000000010fd0000210000000000000000
  0000000500010003000b312e6f6e65
`);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst='10.21.0.5',id=7,flags='MF')/UDP(sport=1,dport=2,len=24)/b'12345678'
const FIRST = bytes(`
  027000000011027000000010080045000024000720004011469f0a00000a0a1500050001000200181acb3132333435363738
`);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst='10.21.0.5',id=7,frag=2,proto=17)/b'12345678'
const LATER = bytes('02700000001102700000001008004500001c00070002401166a50a00000a0a1500053132333435363738');
// scapy: Ether(src=P0,dst=P1)/IPv6(src='fd00::10',dst='fd00:21::5')/IPv6ExtHdrFragment(m=1,id=7,nh=17)/UDP(sport=1,dport=2,len=24)/b'12345678'
const FIRST_6 = bytes(`
  02700000001102700000001086dd6000000000182c40fd000000000000000000000000000010fd0000210000000000000000
  00000005110000010000000700010002001834b73132333435363738
`);
// scapy: Ether(src=P0,dst=P1)/IPv6(src='fd00::10',dst='fd00:21::5')/IPv6ExtHdrFragment(offset=2,id=7,nh=17)/b'12345678'
const LATER_6 = bytes(`
  02700000001102700000001086dd6000000000102c40fd000000000000000000000000000010fd0000210000000000000000
  0000000511000010000000073132333435363738
`);
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst='10.21.0.5')/ICMP(id=1,seq=1)
const ECHO = bytes('02700000001102700000001008004500001c00010000400166bd0a00000a0a1500050800f7fd00010001');
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst='10.21.0.5')/ICMP(id=1,seq=2)
const ECHO_NEXT = bytes(
  '02700000001102700000001008004500001c00010000400166bd0a00000a0a1500050800f7fc00010002',
);
// scapy: Ether(src=P0,dst=P1,type=0x88b5)/b'one'
const STATIONS = bytes('02700000001102700000001088b56f6e65');
// scapy: Ether(src=P0,dst=P1,type=0x88b6)/b'another'
const STATIONS_AGAIN = bytes('02700000001102700000001088b6616e6f74686572');
// scapy: Ether(src=P1,dst=P0,type=0x88b5)/b'one'
const STATIONS_BACK = bytes('02700000001002700000001188b56f6e65');

const fixture = new TunnelFixture();

function hashOf(frame: Uint8Array, seed = 1): number {
  const slot = fixture.receive(frame, 0);
  const hash = new FlowHash(fixture.pool, seed).of(slot);
  fixture.pool.release(slot);
  return hash;
}

describe('FlowHash', () => {
  it.each([
    ['UDP', UDP4, UDP4_AGAIN],
    ['UDP over IPv6', UDP6, UDP6_AGAIN],
    ['fragments of a datagram', FIRST, LATER],
    ['fragments over IPv6', FIRST_6, LATER_6],
    ['echo requests', ECHO, ECHO_NEXT],
    ['two stations', STATIONS, STATIONS_AGAIN],
  ])('is the same for all of one flow: %s', (_, one, other) => {
    expect(hashOf(one)).toBe(hashOf(other));
    expect(hashOf(one) | 0).toBe(hashOf(one));
  });

  it.each([
    ['source', UDP4, OTHER_SOURCE],
    ['destination', UDP4, OTHER_TARGET],
    ['direction', UDP4, BACK],
    ['port', UDP4, OTHER_PORT],
    ['protocol', UDP4, TCP4],
    ['IPv6 destination', UDP6, OTHER_6],
    ['direction over IPv6', UDP6, SWAPPED_6],
    ['port over IPv6', UDP6, OTHER_PORT_6],
    ['direction between stations', STATIONS, STATIONS_BACK],
    ['address family', UDP4, UDP6],
  ])('tells flows apart by %s', (_, one, other) => {
    expect(hashOf(one)).not.toBe(hashOf(other));
  });

  it('is not to be foreseen without the seed', () => {
    for (const frame of [UDP4, UDP6, STATIONS]) expect(hashOf(frame, 1)).not.toBe(hashOf(frame, 2));
  });

  it('spreads over all source ports', () => {
    const frame = UDP4.slice();
    const seen = new Set<number>();
    for (let port = 0; port < 256; port++) {
      frame[35] = port;
      seen.add(hashOf(frame) & 15);
    }
    expect(seen.size).toBe(16);
  });
});
