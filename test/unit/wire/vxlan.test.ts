import { describe, expect, it } from 'vitest';
import * as vxlan from '../../../src/wire/vxlan.js';
import { AT, blank, hexOf, literal } from './literal.js';

// scapy 2.5.0: bytes(VXLAN(flags='Instance', vni=…))
const HEADERS: readonly (readonly [number, string])[] = [
  [0, '0800000000000000'],
  [77, '0800000000004d00'],
  [0xfffffe, '08000000fffffe00'],
];

describe('vxlan', () => {
  it.each(HEADERS)('takes the header of VNI %i apart', (vni, header) => {
    const view = literal(header);
    expect([vxlan.hasVni(view, AT), vxlan.vni(view, AT)]).toEqual([true, vni]);
  });

  it.each(HEADERS)('builds the header of VNI %i, what is reserved 0', (vni, header) => {
    const view = blank(vxlan.HEADER_LENGTH);
    vxlan.writeHeader(view, AT, vni);
    expect(hexOf(view)).toBe(header);
  });

  it('ignores what is reserved', () => {
    const view = literal('ffffffff00004dff');
    expect([vxlan.hasVni(view, AT), vxlan.vni(view, AT)]).toEqual([true, 77]);
  });

  it('sees that there is no VNI', () => {
    expect(vxlan.hasVni(literal('f7ffffff00004dff'), AT)).toBe(false);
  });
});
