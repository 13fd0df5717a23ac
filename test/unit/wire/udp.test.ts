import { describe, expect, it } from 'vitest';
import * as udp from '../../../src/wire/udp.js';
import { AT, blank, hexOf, literal } from './literal.js';

// scapy 2.5.0: IP(src='10.244.0.2',dst='192.168.77.3')/UDP(sport=4789,dport=65535)/b'odd', from the UDP header on
const HEADER = '12b5ffff000b011d6f6464';

describe('udp', () => {
  it('takes a header apart', () => {
    const view = literal(HEADER);
    expect([udp.srcPort(view, AT), udp.dstPort(view, AT)]).toEqual([4789, 65535]);
    expect([udp.length(view, AT), udp.checksum(view, AT)]).toEqual([11, 0x011d]);
    expect(view.getUint16(AT + udp.CHECKSUM_OFFSET)).toBe(0x011d);
  });

  it('builds the same header', () => {
    const view = blank(8);
    udp.writeHeader(view, AT, 4789, 65535, 11);
    expect(hexOf(view)).toBe('12b5ffff000b0000');
    udp.setChecksum(view, AT, 0x011d);
    expect(hexOf(view)).toBe(HEADER.slice(0, 16));
  });

  it('writes each field by itself', () => {
    const view = blank(8);
    udp.setSrcPort(view, AT, 4789);
    udp.setDstPort(view, AT, 65535);
    udp.setLength(view, AT, 11);
    udp.setChecksum(view, AT, 0x011d);
    expect(hexOf(view)).toBe(HEADER.slice(0, 16));
  });
});
