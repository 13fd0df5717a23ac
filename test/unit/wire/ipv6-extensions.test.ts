import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROTOCOL } from '../../../src/wire/ipv4.js';
import * as ext from '../../../src/wire/ipv6-extensions.js';
import { AT, blank, hexOf, literal } from './literal.js';

// The octets are scapy's (2.5.0); the expression that made them stands above each.
const ADDRESSES = 'fd000000000000000000000000000002fd000000000000000000000000000003';

// IPv6(src='fd00::2',dst='fd00::3')/IPv6ExtHdrHopByHop(options=[RouterAlert()])
//  /IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(10))])/IPv6ExtHdrRouting(type=2,addresses=['fd00::9'])
//  /IPv6ExtHdrFragment(offset=0,m=1,id=0xdeadbeef)/AH(nh=17,payloadlen=4,spi=1,seq=1,icv=b'123456789012')
//  /UDP(sport=1,dport=2)/b'x'
const ALL =
  `6000000000590040${ADDRESSES}3c000502000001002b01010a0000000000000000000001002c02020100000000fd00000000` +
  '000000000000000000000933000001deadbeef110400000000000100000001313233343536373839303132000100020009000078';
// IPv6(src='fd00::2',dst='fd00::3')/IPv6ExtHdrFragment(nh=17,offset=181,m=0,id=0x80000001)/b'later data'
const LATER = `6000000000122c40${ADDRESSES}110005a8800000016c617465722064617461`;
// IPv6(src='fd00::2',dst='fd00::3',nh=50)/b'12345678'
const ESP = `6000000000083240${ADDRESSES}3132333435363738`;
// IPv6(src='fd00::2',dst='fd00::3')/IPv6ExtHdrDestOpt(nh=0)/IPv6ExtHdrHopByHop(nh=59)
const MISPLACED = `6000000000103c40${ADDRESSES}00000104000000003b00010400000000`;

const HEADER = 40;

/** The fixed header with `next`, and `octets` behind it. */
function packet(next: number, octets: ArrayLike<number>): DataView {
  const view = blank(HEADER + octets.length);
  view.setUint8(AT + 6, next);
  Array.from(octets).forEach((octet, i) => {
    view.setUint8(AT + HEADER + i, octet);
  });
  return view;
}

describe('ipv6 extension headers', () => {
  it('walks through all of them', () => {
    const view = literal(ALL);
    const walked = ext.walk(view, AT, view.byteLength);
    expect(walked).toBeGreaterThanOrEqual(0);
    expect(ext.upperProtocol(walked)).toBe(PROTOCOL.UDP);
    expect(ext.upperOffset(walked)).toBe(40 + 8 + 16 + 24 + 8 + 24);
    expect(ext.fragmentHeader(walked)).toBe(40 + 8 + 16 + 24);
    expect(ext.isLaterFragment(walked)).toBe(false);
    expect(ext.hasHopByHop(walked)).toBe(true);
    expect(ext.hasSegmentsLeft(walked)).toBe(true);
    const fragment = AT + ext.fragmentHeader(walked);
    expect(ext.fragmentOffset(view, fragment)).toBe(0);
    expect(ext.moreFragments(view, fragment)).toBe(true);
    expect(ext.fragmentId(view, fragment)).toBe(0xdeadbeef);
  });

  it('stops at a later fragment, which has no upper layer', () => {
    const view = literal(LATER);
    const walked = ext.walk(view, AT, view.byteLength);
    expect(ext.isLaterFragment(walked)).toBe(true);
    expect([ext.fragmentHeader(walked), ext.upperOffset(walked)]).toEqual([40, 48]);
    expect(ext.upperProtocol(walked)).toBe(PROTOCOL.UDP);
    expect(ext.fragmentOffset(view, AT + 40)).toBe(181 * 8);
    expect(ext.moreFragments(view, AT + 40)).toBe(false);
    expect(ext.fragmentId(view, AT + 40)).toBe(0x80000001);
    expect([ext.hasHopByHop(walked), ext.hasSegmentsLeft(walked)]).toEqual([false, false]);
  });

  it('builds a fragment header', () => {
    const view = blank(8);
    ext.writeFragment(view, AT, 17, 181 * 8, false, 0x80000001);
    expect(hexOf(view)).toBe('110005a880000001');
    ext.writeFragment(view, AT, 0x33, 0, true, 0xdeadbeef);
    expect(hexOf(view)).toBe('33000001deadbeef');
  });

  it('takes what it does not know for the upper layer', () => {
    const view = literal(ESP);
    const walked = ext.walk(view, AT, view.byteLength);
    expect([ext.upperOffset(walked), ext.upperProtocol(walked), ext.fragmentHeader(walked)]).toEqual([
      40, 50, 0,
    ]);
  });

  it('wants hop-by-hop options first', () => {
    const view = literal(MISPLACED);
    expect(ext.walk(view, AT, view.byteLength)).toBe(ext.MISPLACED);
  });

  it('wants one fragment header at most', () => {
    const twice = packet(44, [44, 0, 0, 1, 0, 0, 0, 1, 17, 0, 0, 1, 0, 0, 0, 1]);
    expect(ext.walk(twice, AT, twice.byteLength)).toBe(ext.MISPLACED);
  });

  it('says where the chain is cut off, at every length', () => {
    const whole = ALL.length / 2 - 9;
    for (let length = HEADER; length < whole; length++) {
      const view = literal(ALL.slice(0, 2 * length));
      expect(ext.walk(view, AT, view.byteLength)).toBe(ext.TRUNCATED);
    }
    const exact = literal(ALL.slice(0, 2 * whole));
    expect(ext.upperOffset(ext.walk(exact, AT, exact.byteLength))).toBe(whole);
  });

  it('limits the number of headers', () => {
    const chain = (headers: number) =>
      Array.from({ length: headers }, (_, i) => [i === headers - 1 ? 59 : 60, 0, 1, 4, 0, 0, 0, 0]).flat();
    const most = packet(60, chain(ext.MAX_HEADERS));
    expect(ext.upperOffset(ext.walk(most, AT, most.byteLength))).toBe(HEADER + 8 * ext.MAX_HEADERS);
    const more = packet(60, chain(ext.MAX_HEADERS + 1));
    expect(ext.walk(more, AT, more.byteLength)).toBe(ext.TOO_LONG);
  });

  it('limits the octets of the chain', () => {
    const options = (octets: number) => [6, octets / 8 - 1, ...new Array<number>(octets - 2).fill(0)];
    const most = packet(60, options(ext.MAX_CHAIN_OCTETS));
    const walked = ext.walk(most, AT, most.byteLength);
    expect([ext.upperOffset(walked), ext.upperProtocol(walked)]).toEqual([HEADER + ext.MAX_CHAIN_OCTETS, 6]);
    const more = packet(60, options(ext.MAX_CHAIN_OCTETS + 8));
    expect(ext.walk(more, AT, more.byteLength)).toBe(ext.TOO_LONG);
  });

  it('never reads beyond the end, and never points beyond it', () => {
    const type = fc.constantFrom(0, 43, 44, 51, 60, 17, 59);
    // Short lengths and known types, so that the chains are long enough to mean something.
    const octets = fc.array(fc.oneof(type, fc.nat(3), fc.nat(255)), { maxLength: 200 });
    const reached = { upper: 0, fragment: 0, error: 0 };
    fc.assert(
      fc.property(type, octets, (next, octets) => {
        const view = packet(next, octets);
        const walked = ext.walk(view, AT, view.byteLength);
        if (walked < 0) {
          reached.error++;
          expect([ext.TRUNCATED, ext.TOO_LONG, ext.MISPLACED]).toContain(walked);
          return;
        }
        reached.upper++;
        if (ext.fragmentHeader(walked) > 0) reached.fragment++;
        expect(AT + ext.upperOffset(walked)).toBeLessThanOrEqual(view.byteLength);
        expect(ext.upperOffset(walked)).toBeGreaterThanOrEqual(HEADER);
        expect(ext.fragmentHeader(walked)).toBeLessThan(ext.upperOffset(walked));
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(reached.upper, reached.fragment, reached.error)).toBeGreaterThan(50);
  });
});
