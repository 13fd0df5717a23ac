import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as icmpv6 from '../../../src/wire/icmpv6.js';
import * as nd from '../../../src/wire/nd.js';
import { AT, blank, hexOf, literal } from './literal.js';

// The octets are scapy's (2.5.0); the expression that made them stands above each.

// IPv6(src='fd00:10:244::2',dst='ff02::1:ff00:1', hlim=255)/ICMPv6ND_NS(tgt='fd00:10:244::1')
//   /ICMPv6NDOptSrcLLAddr(lladdr='f2:00:0a:f4:00:02')
const SOLICITATION =
  '6000000000203afffd000010024400000000000000000002ff0200000000000000000001ff000001' +
  '87007dfa00000000fd0000100244000000000000000000010101f2000af40002';
// IPv6(src='fd00:10:244::1',dst='fd00:10:244::2', hlim=255)/ICMPv6ND_NA(R=1,S=1,O=1,tgt='fd00:10:244::1')
//   /ICMPv6NDOptDstLLAddr(lladdr='f2:00:0a:f4:00:01')
const ADVERTISEMENT =
  '6000000000203afffd000010024400000000000000000001fd000010024400000000000000000002' +
  '88009aaae0000000fd0000100244000000000000000000010201f2000af40001';
// IPv6(src='::',dst='ff02::1:ff00:2', hlim=255)/ICMPv6ND_NS(tgt='fd00:10:244::2')
const DETECTION =
  '6000000000183aff00000000000000000000000000000000ff0200000000000000000001ff000002' +
  '87007b4f00000000fd000010024400000000000000000002';
// IPv6(src='::',dst='ff02::1:ff00:2', hlim=255)/ICMPv6ND_NS(tgt='fd00:10:244::2')
//   /ICMPv6NDOptSrcLLAddr(lladdr='f2:00:0a:f4:00:02')
const BAD_DETECTION =
  '6000000000203aff00000000000000000000000000000000ff0200000000000000000001ff000002' +
  '87007d4f00000000fd0000100244000000000000000000020101f2000af40002';
// IPv6(src='fe80::1',dst='ff02::2', hlim=255)/ICMPv6ND_RS()/ICMPv6NDOptSrcLLAddr(lladdr='f2:00:0a:f4:00:02')
const ROUTER_SOLICITATION =
  '6000000000103afffe800000000000000000000000000001ff020000000000000000000000000002' +
  '85007f36000000000101f2000af40002';
// IPv6(src='fe80::1',dst='ff02::1', hlim=255)/ICMPv6ND_RA(routerlifetime=1800)
//   /ICMPv6NDOptSrcLLAddr(lladdr='f2:00:0a:f4:00:01')/ICMPv6NDOptMTU(mtu=1450)
//   /ICMPv6NDOptPrefixInfo(prefix='fd00:10:244::', prefixlen=64)
const ROUTER_ADVERTISEMENT =
  '6000000000403afffe800000000000000000000000000001ff020000000000000000000000000001' +
  '860029340008070800000000000000000101f2000af4000105010000000005aa' +
  '030440c0ffffffffffffffff00000000fd000010024400000000000000000000';
// IPv6(src='fe80::1',dst='fd00:10:244::2', hlim=255)/ICMPv6ND_Redirect(tgt='fe80::9', dst='fd00:10:244::9')
//   /ICMPv6NDOptDstLLAddr(lladdr='f2:00:0a:f4:00:09')
const REDIRECT =
  '6000000000303afffe800000000000000000000000000001fd000010024400000000000000000002' +
  '89007bd500000000fe800000000000000000000000000009fd0000100244000000000000000000090201f2000af40009';

const ALL = { SOLICITATION, ADVERTISEMENT, DETECTION, ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT, REDIRECT };
const { SOURCE_LINK_LAYER, TARGET_LINK_LAYER, MTU, PREFIX } = nd.OPTION;
const ND = AT + 40;

/** Whether the message is valid with some octets of the packet replaced: `[offset, hex]` each. */
function isValid(hex: string, ...changes: [number, string][]): boolean {
  let changed = hex;
  for (const [at, to] of changes) changed = changed.slice(0, 2 * at) + to + changed.slice(2 * at + to.length);
  const view = literal(changed);
  return nd.isValid(view, AT, ND, view.byteLength);
}

describe('neighbour discovery', () => {
  it('takes a solicitation apart', () => {
    const view = literal(SOLICITATION);
    expect(icmpv6.type(view, ND)).toBe(icmpv6.TYPE.NEIGHBOUR_SOLICITATION);
    expect([0, 1, 2, 3].map((i) => nd.targetWord(view, ND, i))).toEqual([0xfd000010, 0x02440000, 0, 1]);
    expect(nd.isDuplicateDetection(view, AT)).toBe(false);
    const option = nd.findOption(view, ND, view.byteLength, SOURCE_LINK_LAYER);
    expect(option).toBe(ND + 24);
    expect([nd.linkLayerHi(view, option), nd.linkLayerLo(view, option)]).toEqual([0xf200, 0x0af40002]);
    expect(nd.findOption(view, ND, view.byteLength, TARGET_LINK_LAYER)).toBe(-1);
  });

  it('builds the same solicitation', () => {
    const view = blank(nd.NEIGHBOUR_LENGTH);
    nd.writeSolicitation(view, AT, 0xfd000010, 0x02440000, 0, 1, 0xf200, 0x0af40002);
    icmpv6.setChecksum(view, AT, 0x7dfa);
    expect(hexOf(view)).toBe(SOLICITATION.slice(80));
  });

  it('takes an advertisement apart', () => {
    const view = literal(ADVERTISEMENT);
    const { ROUTER, SOLICITED, OVERRIDE } = nd.ADVERTISEMENT;
    expect(nd.advertisementFlags(view, ND)).toBe(ROUTER + SOLICITED + OVERRIDE);
    const option = nd.findOption(view, ND, view.byteLength, TARGET_LINK_LAYER);
    expect([nd.linkLayerHi(view, option), nd.linkLayerLo(view, option)]).toEqual([0xf200, 0x0af40001]);
  });

  it('builds the same advertisement', () => {
    const view = blank(nd.NEIGHBOUR_LENGTH);
    const { ROUTER, SOLICITED, OVERRIDE } = nd.ADVERTISEMENT;
    const flags = ROUTER | SOLICITED | OVERRIDE;
    nd.writeAdvertisement(view, AT, flags, 0xfd000010, 0x02440000, 0, 1, 0xf200, 0x0af40001);
    icmpv6.setChecksum(view, AT, 0x9aaa);
    expect(hexOf(view)).toBe(ADVERTISEMENT.slice(80));
  });

  it('finds the options of each type of message', () => {
    const advertisement = literal(ROUTER_ADVERTISEMENT);
    const found = [SOURCE_LINK_LAYER, MTU, PREFIX].map((option) =>
      nd.findOption(advertisement, ND, advertisement.byteLength, option),
    );
    expect(found).toEqual([ND + 16, ND + 24, ND + 32]);
    const solicitation = literal(ROUTER_SOLICITATION);
    expect(nd.findOption(solicitation, ND, solicitation.byteLength, SOURCE_LINK_LAYER)).toBe(ND + 8);
    const redirect = literal(REDIRECT);
    expect(nd.findOption(redirect, ND, redirect.byteLength, TARGET_LINK_LAYER)).toBe(ND + 40);
  });

  it.each(Object.entries(ALL))('accepts a good message: %s', (_, hex) => {
    expect(isValid(hex)).toBe(true);
  });

  it.each(Object.entries(ALL))('wants hop limit 255, code 0 and whole options: %s', (_, hex) => {
    expect(isValid(hex, [7, 'fe'])).toBe(false);
    expect(isValid(hex, [41, '01'])).toBe(false);
    const fixed = nd.fixedLength(Number.parseInt(hex.slice(80, 82), 16));
    for (let length = 40 + 8; length < hex.length / 2; length++) {
      const atBoundary = isValid(hex.slice(0, 2 * length));
      const endsWithOption = length >= 40 + fixed && (length - 40 - fixed) % 8 === 0;
      if (!endsWithOption) expect(atBoundary).toBe(false);
    }
    if (hex.length / 2 > 40 + fixed) expect(isValid(hex, [40 + fixed + 1, '00'])).toBe(false);
  });

  it('finds no valid options in a message that ends before them', () => {
    const view = literal(DETECTION.slice(0, -2));
    expect(nd.areOptionsValid(view, ND, view.byteLength)).toBe(false);
  });

  it('refuses a type that is none of the five', () => {
    expect(isValid(SOLICITATION, [40, '80'])).toBe(false);
  });

  it('holds duplicate address detection to a solicited-node group without a source', () => {
    expect(nd.isDuplicateDetection(literal(DETECTION), AT)).toBe(true);
    expect(isValid(BAD_DETECTION)).toBe(false);
    expect(isValid(DETECTION, [24, 'fd'])).toBe(false);
  });

  it('refuses groups as targets, and solicited advertisements to groups', () => {
    expect(isValid(SOLICITATION, [48, 'ff'])).toBe(false);
    expect(isValid(ADVERTISEMENT, [48, 'ff'])).toBe(false);
    expect(isValid(ADVERTISEMENT, [24, 'ff'])).toBe(false);
    expect(isValid(ADVERTISEMENT, [24, 'ff'], [44, 'a0'])).toBe(true);
  });

  it('takes routers at a link-local address only', () => {
    expect(isValid(ROUTER_ADVERTISEMENT, [8, 'fd00'])).toBe(false);
    expect(isValid(REDIRECT, [8, 'fd00'])).toBe(false);
    expect(isValid(REDIRECT, [64, 'ff'])).toBe(false);
    expect(isValid(REDIRECT, [48, 'fd00'])).toBe(false);
    expect(isValid(REDIRECT, [48, REDIRECT.slice(128, 160)])).toBe(true);
    expect(isValid(ROUTER_SOLICITATION, [8, '0'.repeat(32)])).toBe(false);
  });

  it('sees a second link-layer address that is not the first', () => {
    const twice = (second: string) => literal(SOLICITATION + second);
    const namesOnly = (view: DataView) =>
      nd.namesOnly(view, ND, view.byteLength, SOURCE_LINK_LAYER, 0xf200, 0x0af40002);
    expect(namesOnly(literal(SOLICITATION))).toBe(true);
    expect(namesOnly(literal(DETECTION))).toBe(true);
    expect(namesOnly(twice('0101f2000af40002'))).toBe(true);
    expect(namesOnly(twice('0101f2000af40003'))).toBe(false);
    expect(namesOnly(twice('0101f2010af40002'))).toBe(false);
    expect(namesOnly(twice('0201f2000af40003'))).toBe(true);
    expect(namesOnly(twice('0102f2000af400020000000000000000'))).toBe(false);
  });

  it('reads nothing beyond the end, whatever the message holds', () => {
    const type = fc.constantFrom(133, 134, 135, 136, 137, 0);
    const octets = fc.array(fc.oneof(fc.nat(5), fc.nat(255)), { maxLength: 120 });
    fc.assert(
      fc.property(type, octets, (type, octets) => {
        const view = blank(48 + octets.length);
        octets.forEach((octet, i) => {
          view.setUint8(AT + 48 + i, octet);
        });
        view.setUint8(AT + 7, 255);
        view.setUint16(ND, type << 8);
        const end = view.byteLength;
        const valid = nd.isValid(view, AT, ND, end);
        const option = nd.findOption(view, ND, end, SOURCE_LINK_LAYER);
        if (option >= 0) expect(option + nd.optionLength(view, option, end)).toBeLessThanOrEqual(end);
        nd.namesOnly(view, ND, end, TARGET_LINK_LAYER, 1, 2);
        if (valid) expect(nd.areOptionsValid(view, ND, end)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
