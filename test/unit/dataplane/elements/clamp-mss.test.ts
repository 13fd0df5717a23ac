// In scapy's expressions: P0 = '02:70:00:00:00:10', GW = '02:70:00:00:ff:00', A0 = '10.0.0.10'. Peer 3 has an MTU of 1400.
import { describe, expect, it } from 'vitest';
import { ClampMss } from '../../../../src/dataplane/elements/clamp-mss.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { bytes, hex } from '../router-fixture.js';
import { TUNNEL_SNAPSHOT, TunnelFixture } from '../tunnel-fixture.js';

// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.21.0.5')/TCP(sport=1,dport=2,flags='S',options=[('MSS',1460)])
const SYN = bytes(`
  02700000ff0002700000001008004500002c00010000400666a80a00000a0a15000500010002000000000000000060022000
  64000000020405b4
`);
// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.21.0.5')/TCP(sport=1,dport=2,flags='S',options=[('MSS',1360)])
const SYN_1360 = bytes(`
  02700000ff0002700000001008004500002c00010000400666a80a00000a0a15000500010002000000000000000060022000
  6464000002040550
`);
// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.21.0.5')/TCP(sport=1,dport=2,flags='S',options=[('NOP',None),('MSS',1460),('NOP',None),('NOP',None),('NOP',None)])
const ODD = bytes(`
  02700000ff0002700000001008004500003000010000400666a40a00000a0a15000500010002000000000000000070022000
  a1aa000001020405b4010101
`);
// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.21.0.5')/TCP(sport=1,dport=2,flags='S',options=[('NOP',None),('MSS',1360),('NOP',None),('NOP',None),('NOP',None)])
const ODD_1360 = bytes(`
  02700000ff0002700000001008004500003000010000400666a40a00000a0a15000500010002000000000000000070022000
  05ab00000102040550010101
`);
// scapy: Ether(src=P0,dst=GW)/IPv6(src='fd00::10',dst='fd00:21::5')/TCP(sport=1,dport=2,flags='SA',options=[('MSS',1440)])
const SYN_6 = bytes(`
  02700000ff0002700000001086dd6000000000180640fd000000000000000000000000000010fd0000210000000000000000
  00000005000100020000000000000000601220007df00000020405a0
`);
// scapy: Ether(src=P0,dst=GW)/IPv6(src='fd00::10',dst='fd00:21::5')/TCP(sport=1,dport=2,flags='SA',options=[('MSS',1340)])
const SYN_6_1340 = bytes(`
  02700000ff0002700000001086dd6000000000180640fd000000000000000000000000000010fd0000210000000000000000
  00000005000100020000000000000000601220007e5400000204053c
`);
// scapy: Ether(src=P0,dst=GW)/IPv6(src='fd00::10',dst='fd00:21::5')/TCP(sport=1,dport=2,flags='S',options=[('MSS',1340)])
const EXACT_6 = bytes(`
  02700000ff0002700000001086dd6000000000180640fd000000000000000000000000000010fd0000210000000000000000
  00000005000100020000000000000000600220007e6400000204053c
`);
// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.21.0.5')/TCP(sport=1,dport=2,flags='S',options=[('MSS',536)])
const SMALL = bytes(`
  02700000ff0002700000001008004500002c00010000400666a80a00000a0a15000500010002000000000000000060022000
  679c000002040218
`);
// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.21.0.5')/TCP(sport=1,dport=2,flags='A',options=[('MSS',1460)])
const ACK = bytes(`
  02700000ff0002700000001008004500002c00010000400666a80a00000a0a15000500010002000000000000000060102000
  63f20000020405b4
`);
// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.21.0.5')/TCP(sport=1,dport=2,flags='S',options=[('SAckOK',b'')])
const NONE = bytes(`
  02700000ff0002700000001008004500002c00010000400666a80a00000a0a15000500010002000000000000000060022000
  67b6000004020000
`);
// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.21.0.5')/UDP(sport=1,dport=2)/bytes(20)
const DATAGRAM = bytes(`
  02700000ff0002700000001008004500003000010000401166990a00000a0a15000500010002001ceb8f0000000000000000
  000000000000000000000000
`);
// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.21.0.5',proto=6,frag=1)/bytes(13)/b'\x02'/bytes(30)
const LATER = bytes(`
  02700000ff0002700000001008004500004000010001400666930a00000a0a15000500000000000000000000000000020000
  00000000000000000000000000000000000000000000000000000000
`);
// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.21.0.5')/TCP(sport=1,dport=2,flags='S',dataofs=6)/b'\x02\x04\x05\xb4'
const BARE = bytes(`
  02700000ff0002700000001008004500002c00010000400666a80a00000a0a15000500010002000000000000000060022000
  64000000020405b4
`);

const NETWORK = 14;
/** Where the options of SYN begin, in the frame. */
const OPTIONS = NETWORK + 20 + 20;

function clamped(frame: Uint8Array, isPartial = false, snapshot = TUNNEL_SNAPSHOT): string {
  const fixture = new TunnelFixture(snapshot);
  const ok = fixture.batch();
  const element = new ClampMss(fixture.context, fixture.batch(), ok);
  const slot = fixture.receive(frame, 0);
  fixture.pool.info[slot] = 3;
  if (isPartial) partial(fixture, slot);
  fixture.run(element, slot);
  const [sent] = fixture.send(ok);
  fixture.expectBalance();
  return sent;
}

/** Marks the checksum as still to be completed. */
function partial({ pool }: TunnelFixture, slot: number): void {
  pool.flags[slot] |= PACKET.PARTIAL_CHECKSUM;
  pool.checksumStart[slot] = pool.l4[slot] - pool.at[slot];
  pool.checksumOffset[slot] = 16;
}

/** SYN with other octets in place of its option. */
function withOption(...octets: number[]): Uint8Array {
  const frame = SYN.slice();
  frame.set(octets, OPTIONS);
  return frame;
}

describe('ClampMss', () => {
  it.each([
    ['IPv4', SYN, SYN_1360],
    ['IPv6, with ACK', SYN_6, SYN_6_1340],
    ['an option at an odd place', ODD, ODD_1360],
  ])('lowers what a handshake announces, and its checksum: %s', (_, frame, expected) => {
    expect(clamped(frame)).toBe(hex(expected));
  });

  it.each([
    ['what is small enough', SMALL],
    ['what just fits', EXACT_6],
    ['what is no handshake', ACK],
    ['a handshake that announces nothing', NONE],
    ['UDP', DATAGRAM],
    ['later fragments', LATER],
    ['an option of length 0', withOption(2, 0, 5, 180)],
    ['an option of length 1', withOption(2, 1, 5, 180)],
    ['an option of another length', withOption(2, 3, 5, 0)],
    ['an option that is cut off', withOption(1, 1, 2, 4)],
    ['an option without a length', withOption(1, 1, 1, 2)],
    ['what is behind the end of the options', withOption(0, 2, 4, 255)],
    ['what is behind a broken option', withOption(8, 9, 2, 4)],
  ])('leaves %s alone', (_, frame) => {
    expect(clamped(frame)).toBe(hex(frame));
  });

  it('finds an option that is all there is', () => {
    expect(clamped(BARE).slice(OPTIONS * 2)).toBe('02040550');
  });

  it('leaves a checksum alone that is still to be completed', () => {
    const expected = SYN.slice();
    expected.set([0x05, 0x50], OPTIONS + 2);
    expect(clamped(SYN, true)).toBe(hex(expected));
  });

  it('changes the TCP checksum where the one to be completed is of a packet inside', () => {
    const fixture = new TunnelFixture();
    const ok = fixture.batch();
    const element = new ClampMss(fixture.context, fixture.batch(), ok);
    const slot = fixture.receive(SYN, 0);
    partial(fixture, slot);
    fixture.pool.checksumStart[slot] += 20;
    fixture.pool.info[slot] = 3;
    fixture.run(element, slot);
    expect(fixture.send(ok)).toEqual([hex(SYN_1360)]);
  });

  it.each([0, 40])('announces nothing where an MTU of %i leaves no room', (mtu) => {
    const peers = TUNNEL_SNAPSHOT.peers!.map((peer) => ({ ...peer, mtu }));
    expect(clamped(SYN, false, { ...TUNNEL_SNAPSHOT, peers })).toBe(hex(SYN));
  });
});
