import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as tcp from '../../../src/wire/tcp.js';
import { AT, blank, hexOf, literal } from './literal.js';

// The octets are scapy's (2.5.0); the expression that made them stands above each.

// IP(src='10.244.0.2',dst='192.168.77.3')/TCP(sport=40000,dport=443,seq=0xfffffff0,ack=0x80000001,flags='SEC',
//   window=64240,options=[('MSS',1460),('SAckOK',b''),('Timestamp',(1,2)),('NOP',None),('WScale',7)]), from TCP on
const SYN = '9c4001bbfffffff080000001a0c2faf015bd0000020405b40402080a000000010000000201030307';
// IPv6(src='fd00:10:244::2',dst='fd00:10:244::3')/TCP(sport=40000,dport=443,seq=0xfffffff0,ack=0x80000001,
//   flags='FPA',window=512)/b'payload', from TCP on
const DATA = '9c4001bbfffffff08000000150190200d3f800007061796c6f6164';
// TCP(sport=1,dport=2,flags='S',options=[('NOP',None),('NOP',None),('Timestamp',(1,2))])
const STAMPS = '00010002000000000000000080022000000000000101080a0000000100000002';
// TCP(sport=1,dport=2,flags='S',options=[('EOL',None)])
const ENDED = '000100020000000000000000600220000000000000000000';

describe('tcp', () => {
  it('takes a header apart', () => {
    const view = literal(SYN);
    expect([tcp.srcPort(view, AT), tcp.dstPort(view, AT)]).toEqual([40000, 443]);
    expect([tcp.sequence(view, AT), tcp.acknowledgment(view, AT)]).toEqual([0xfffffff0, 0x80000001]);
    expect(tcp.dataOffset(view, AT)).toBe(40);
    expect(tcp.flags(view, AT)).toBe(tcp.FLAG.SYN | tcp.FLAG.ECE | tcp.FLAG.CWR);
    expect([tcp.window(view, AT), tcp.checksum(view, AT), tcp.urgent(view, AT)]).toEqual([64240, 0x15bd, 0]);
    expect(view.getUint16(AT + tcp.CHECKSUM_OFFSET)).toBe(0x15bd);
  });

  it('builds a header', () => {
    const view = blank(20);
    const { FIN, PSH, ACK } = tcp.FLAG;
    tcp.writeHeader(view, AT, 40000, 443, 0xfffffff0, 0x80000001, FIN | PSH | ACK, 512);
    expect(tcp.dataOffset(view, AT)).toBe(20);
    tcp.setChecksum(view, AT, 0xd3f8);
    expect(hexOf(view)).toBe(DATA.slice(0, 40));
  });

  it('writes fields by themselves', () => {
    const view = literal(DATA.slice(0, 40));
    tcp.setSrcPort(view, AT, 1);
    tcp.setDstPort(view, AT, 0xfffe);
    tcp.setSequence(view, AT, 0x80000000);
    tcp.setFlags(view, AT, tcp.FLAG.RST | tcp.FLAG.URG);
    expect(hexOf(view)).toBe('0001fffe800000008000000150240200d3f80000');
  });

  it('finds each option', () => {
    const view = literal(SYN);
    const { MSS, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALE, SACK } = tcp.OPTION;
    const found = [MSS, SACK_PERMITTED, TIMESTAMPS, WINDOW_SCALE].map(
      (kind) => tcp.findOption(view, AT, kind) - AT,
    );
    expect(found).toEqual([20, 24, 26, 37]);
    expect(tcp.findOption(view, AT, SACK)).toBe(-1);
    expect(tcp.maximumSegment(view, AT)).toBe(1460);
  });

  it('walks over padding and stops at the end of the list', () => {
    expect(tcp.findOption(literal(STAMPS), AT, tcp.OPTION.TIMESTAMPS)).toBe(AT + 22);
    expect(tcp.maximumSegment(literal(STAMPS), AT)).toBe(0);
    // Behind the end of the list stands what would be an MSS option.
    const view = literal(ENDED.replace(/.{8}$/, '00020405'));
    expect(tcp.findOption(view, AT, tcp.OPTION.MSS)).toBe(-1);
  });

  it.each([
    ['of length 0', '05000000'],
    ['of length 1', '0501020405b40000'],
    ['that goes beyond the header', '02050000'],
    ['without a length', '01010102'],
  ])('gives up at an option %s', (_, options) => {
    const view = literal(ENDED.slice(0, 40) + options);
    view.setUint8(AT + 12, (20 + options.length / 2) << 2);
    expect(tcp.findOption(view, AT, tcp.OPTION.MSS)).toBe(-1);
  });

  it('gives no segment size for an MSS option of another length', () => {
    expect(tcp.maximumSegment(literal(ENDED.replace(/.{8}$/, '02030501')), AT)).toBe(0);
  });

  it('reads nothing beyond the header, whatever the options are', () => {
    const words = fc.integer({ min: 0, max: 10 });
    const octets = fc.array(fc.oneof(fc.nat(8), fc.nat(255)), { minLength: 40, maxLength: 40 });
    fc.assert(
      fc.property(words, octets, fc.nat(8), (words, octets, kind) => {
        const view = blank(20 + 4 * words);
        view.setUint8(AT + 12, (5 + words) << 4);
        for (let i = 0; i < 4 * words; i++) view.setUint8(AT + 20 + i, octets[i]);
        const option = tcp.findOption(view, AT, kind);
        if (option >= 0)
          expect(option + tcp.optionLength(view, option, view.byteLength)).toBeLessThanOrEqual(
            view.byteLength,
          );
        tcp.maximumSegment(view, AT);
      }),
      { numRuns: 2000 },
    );
  });
});
