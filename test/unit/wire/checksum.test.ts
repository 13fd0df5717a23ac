import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as sums from '../../../src/wire/checksum.js';
import { plainChecksum, wasmChecksum } from '../../../src/wire/checksum-kernel.js';
import * as ipv4 from '../../../src/wire/ipv4.js';

const memory = new WebAssembly.Memory({ initial: 40, maximum: 40, shared: true });
const octets = new Uint8Array(memory.buffer);
const view = new DataView(memory.buffer);
const wasm = wasmChecksum(memory);
const plain = plainChecksum(memory);
const both = [
  ['AssemblyScript', wasm],
  ['TypeScript', plain],
] as const;

const AT = 4099;
const COPY = 2_100_001;

function place(hex: string, at = AT): number {
  const bytes = Buffer.from(hex, 'hex');
  octets.set(bytes, at);
  return bytes.length;
}

/** What RFC 1071 says, octet by octet: slow, and with nothing in common with what it judges. */
function reference(at: number, length: number, initial: number): number {
  let sum = initial;
  for (let i = 0; i < length; i++) sum += octets[at + i] * (i % 2 === 0 ? 256 : 1);
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return sum;
}

// The octets are scapy's (2.5.0); the expression that made them stands above each.
const V4 = [
  // IP(src='10.244.0.2',dst='192.168.77.3')/UDP(sport=4789,dport=65535)/b'odd'
  ['UDP of odd length', 17, '4500001f000100004011622c0af40002c0a84d0312b5ffff000b011d6f6464'],
  // IP(src='10.244.0.2',dst='10.244.0.3')/UDP(sport=1,dport=2)/b'\xe9\xea', whose sum is 0xffff
  ['UDP whose checksum comes out as 0', 17, '4500001e00010000401164e20af400020af4000300010002000affffe9ea'],
  // IP(src='10.244.0.2',dst='192.168.77.3')/TCP(sport=40000,dport=443,seq=0xfffffff0,ack=0x80000001,flags='SEC',
  //   window=64240,options=[('MSS',1460),('SAckOK',b''),('Timestamp',(1,2)),('NOP',None),('WScale',7)])
  [
    'TCP with options',
    6,
    '4500003c000100004006621a0af40002c0a84d039c4001bbfffffff080000001a0c2faf015bd0000020405b40402080a' +
      '000000010000000201030307',
  ],
] as const;
const V6 = [
  // IPv6(src='fd00:10:244::2',dst='fd00:10:244::3')/UDP(sport=4789,dport=65535)/b'odd'
  [
    'UDP of odd length',
    17,
    '60000000000b1140fd000010024400000000000000000002fd00001002440000000000000000000312b5ffff000b1b106f6464',
  ],
  // IPv6(src='fd00:10:244::2',dst='fd00:10:244::3')/TCP(sport=40000,dport=443,seq=0xfffffff0,ack=0x80000001,
  //   flags='FPA',window=512)/b'payload'
  [
    'TCP',
    6,
    '60000000001b0640fd000010024400000000000000000002fd0000100244000000000000000000039c4001bbfffffff0' +
      '8000000150190200d3f800007061796c6f6164',
  ],
  // IPv6(src='fd00:10:244::2',dst='ff02::1:ff00:1', hlim=255)/ICMPv6ND_NS(tgt='fd00:10:244::1')
  //   /ICMPv6NDOptSrcLLAddr(lladdr='f2:00:0a:f4:00:02')
  [
    'ICMPv6',
    58,
    '6000000000203afffd000010024400000000000000000002ff0200000000000000000001ff00000187007dfa00000000' +
      'fd0000100244000000000000000000010101f2000af40002',
  ],
] as const;
const OFFSET: Record<number, number> = { 6: 16, 17: 6, 58: 2 };

// What Linux 6.18 wrote into a TAP with NEEDS_CSUM, and what scapy 2.5.0 makes of the same packet without its
// checksum: the IP packet, csum_start and csum_offset less the Ethernet header, the checksum.
const PARTIAL = [
  ['UDP', '4500001faacc400040117bed0a0900010a0900020fa00035000b14316f6464', 20, 6, 0x088a],
  [
    'TCP',
    '4500003c7c5e40004006aa490a0900010a0900021388005062eae15500000000a002faf014430000020405b40402080a' +
      'a799b7ce000000000103030a',
    20,
    16,
    0x8177,
  ],
  [
    'UDP over IPv6',
    '600e2ffe000b1140fd090000000000000000000000000001fd0900000000000000000000000000020fa00035000bfa326f6464',
    40,
    6,
    0x2288,
  ],
] as const;

describe.each(both)('checksum in %s', (_, checksum) => {
  it('gives the sum of the example in RFC 1071 section 3', () => {
    place('0001f203f4f5f6f7');
    expect(checksum.sum(AT, 8, 0)).toBe(0xddf2);
  });

  it('takes a last octet for the upper half of a word, wherever the string begins', () => {
    place('00010203');
    expect(checksum.sum(AT, 3, 0)).toBe(0x0201);
    expect(checksum.sum(AT + 1, 3, 0)).toBe(0x0402);
    expect(checksum.sum(AT + 1, 1, 0)).toBe(0x0100);
  });

  it('sums nothing for a length of 0 or less', () => {
    for (const length of [0, -1, -2, -3, -64, -65536]) {
      expect(checksum.sum(AT, length, 0x1_2345)).toBe(0x2346);
      octets[COPY] = 0x77;
      if (length === 0) expect(checksum.copySum(COPY, AT, length, 7)).toBe(7);
      expect(octets[COPY]).toBe(0x77);
    }
  });

  it('loses no carry: the most octets of the most value', () => {
    octets.fill(0xff, AT, AT + 2_000_000);
    for (const length of [64, 65535, 65536, 262_144, 262_208, 524_288, 1_999_999]) {
      expect(checksum.sum(AT, length, 0xffff_ffff)).toBe(reference(AT, length, 0xffff_ffff));
    }
    octets.fill(0xfe, AT, AT + 2_000_000);
    expect(checksum.sum(AT, 1_999_999, 0)).toBe(reference(AT, 1_999_999, 0));
  });

  it('gives 0 only where everything is 0', () => {
    octets.fill(0, AT, AT + 200);
    expect(checksum.sum(AT, 200, 0)).toBe(0);
    expect(checksum.sum(AT, 200, 0xffff)).toBe(0xffff);
    octets.fill(0xff, AT, AT + 2);
    expect(checksum.sum(AT, 200, 0)).toBe(0xffff);
  });

  it.each(V4)('computes and verifies scapy’s IPv4 %s', (_, protocol, hex) => {
    const length = place(hex) - 20;
    const l4 = AT + 20;
    const pseudo = sums.pseudoIpv4(view, AT, protocol, length);
    expect(sums.isL4ChecksumRight(checksum, pseudo, l4, length)).toBe(true);
    const field = l4 + OFFSET[protocol];
    const right = view.getUint16(field);
    view.setUint16(field, 0);
    expect(sums.nonZero(sums.l4Checksum(checksum, pseudo, l4, length))).toBe(right);
    expect(sums.isL4ChecksumRight(checksum, pseudo, l4, length)).toBe(right === 0xffff);
  });

  it.each(V6)('computes and verifies scapy’s IPv6 %s', (_, protocol, hex) => {
    const length = place(hex) - 40;
    const l4 = AT + 40;
    const pseudo = sums.pseudoIpv6(view, AT, protocol, length);
    expect(sums.isL4ChecksumRight(checksum, pseudo, l4, length)).toBe(true);
    const field = l4 + OFFSET[protocol];
    const right = view.getUint16(field);
    view.setUint16(field, 0);
    expect(sums.l4Checksum(checksum, pseudo, l4, length)).toBe(right);
    view.setUint8(l4, view.getUint8(l4) ^ 1);
    expect(sums.l4Checksum(checksum, pseudo, l4, length)).not.toBe(right);
  });

  it('computes scapy’s ICMP, which has no pseudo header', () => {
    // ICMP(id=0x1234, seq=7)/b'abcdefgh!'
    const length = place('0800332f12340007616263646566676821');
    expect(sums.isL4ChecksumRight(checksum, 0, AT, length)).toBe(true);
    view.setUint16(AT + 2, 0);
    expect(sums.l4Checksum(checksum, 0, AT, length)).toBe(0x332f);
  });

  it.each(PARTIAL)('completes the kernel’s partial checksum of %s', (_, hex, start, offset, right) => {
    const length = place(hex);
    sums.completePartial(checksum, view, AT + start, AT + length, offset);
    expect(view.getUint16(AT + start + offset)).toBe(right);
  });

  it('never completes to 0, but for TCP', () => {
    place('fffe00010000');
    sums.completePartial(checksum, view, AT, AT + 6, 4);
    expect(view.getUint16(AT + 4)).toBe(0xffff);
    // 20 octets whose sum is 0xffff; tshark calls TCP's 0xffff wrong.
    place('fffe00010000000000000000000000000000' + '0000');
    sums.completePartial(checksum, view, AT, AT + 20, 16);
    expect(view.getUint16(AT + 16)).toBe(0);
  });

  it('copies exactly what it was told to, and sums it', () => {
    const any = fc.record({
      bytes: fc.uint8Array({ minLength: 0, maxLength: 300 }),
      from: fc.nat(15),
      to: fc.nat(15),
      initial: fc.integer({ min: 0, max: 0xffff_ffff }),
    });
    fc.assert(
      fc.property(any, ({ bytes, from, to, initial }) => {
        const { length } = bytes;
        octets.set(bytes, AT + from);
        octets.fill(0x5a, COPY, COPY + 400);
        const expected = reference(AT + from, length, initial);
        expect(checksum.copySum(COPY + 16 + to, AT + from, length, initial)).toBe(expected);
        const end = COPY + 16 + to + length;
        expect(octets.slice(COPY + 16 + to, end)).toEqual(bytes);
        expect(octets.slice(COPY, COPY + 16 + to).every((octet) => octet === 0x5a)).toBe(true);
        expect(octets.slice(end, COPY + 400).every((octet) => octet === 0x5a)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('copies to a place before that overlaps, and with copy to one behind', () => {
    for (const distance of [1, 2, 7, 16, 63, 64, 65]) {
      const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 131) >>> 2);
      octets.set(bytes, AT + distance);
      expect(checksum.copySum(AT, AT + distance, 1000, 0)).toBe(reference(AT, 1000, 0));
      expect(octets.slice(AT, AT + 1000)).toEqual(bytes);
      checksum.copy(AT + distance, AT, 1000);
      expect(octets.slice(AT + distance, AT + distance + 1000)).toEqual(bytes);
    }
  });
});

describe('both checksums', () => {
  it('agree with each other and with RFC 1071 for any octets, length, alignment and initial sum', () => {
    const any = fc.record({
      bytes: fc.uint8Array({ minLength: 0, maxLength: 2000, size: 'max' }),
      at: fc.integer({ min: 0, max: 70 }),
      initial: fc.oneof(fc.nat(0xffff), fc.integer({ min: 0, max: 0xffff_ffff })),
    });
    fc.assert(
      fc.property(any, ({ bytes, at, initial }) => {
        octets.set(bytes, at);
        const expected = reference(at, bytes.length, initial);
        expect(wasm.sum(at, bytes.length, initial)).toBe(expected);
        expect(plain.sum(at, bytes.length, initial)).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it('agree at every length to 200 and at 16 alignments', () => {
    for (let i = 0; i < 300; i++) octets[i] = (i * i * 31 + 0x80) & 0xff;
    for (let at = 0; at < 16; at++) {
      for (let length = 0; length <= 200; length++) {
        const expected = reference(at, length, 0);
        if (wasm.sum(at, length, 0) !== expected || plain.sum(at, length, 0) !== expected) {
          expect.fail(`at ${at}, length ${length}`);
        }
      }
    }
  });

  it('sum in pieces what they sum at once', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 500 }), fc.nat(249), (bytes, half) => {
        octets.set(bytes, AT);
        const cut = Math.min(2 * half, bytes.length & ~1);
        const whole = wasm.sum(AT, bytes.length, 0);
        expect(wasm.sum(AT + cut, bytes.length - cut, wasm.sum(AT, cut, 0))).toBe(whole);
        expect(plain.sum(AT + cut, bytes.length - cut, wasm.sum(AT, cut, 0))).toBe(whole);
      }),
    );
  });
});

describe('incremental update', () => {
  it('gives the example of RFC 1624 section 4', () => {
    expect(sums.update16(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  it('gives what a sum from scratch gives', () => {
    // The first word stands for a header's version: no real sum is over zeros alone.
    const words = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 6, maxLength: 6 });
    const special = fc.oneof(fc.constantFrom(0, 1, 0xfffe, 0xffff), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(words, special, special, (words, high, low) => {
        [0x4500, ...words].forEach((word, i) => {
          view.setUint16(AT + 2 * i, word);
        });
        const check = sums.complement(plain.sum(AT, 14, 0));
        const old = view.getUint16(AT + 4);
        view.setUint16(AT + 4, high);
        const once = sums.complement(plain.sum(AT, 14, 0));
        expect(sums.update16(check, old, high)).toBe(once);
        const oldLong = view.getUint32(AT + 8);
        const nextLong = ((high << 16) | low) >>> 0;
        view.setUint32(AT + 8, nextLong);
        expect(sums.update32(once, oldLong, nextLong)).toBe(sums.complement(plain.sum(AT, 14, 0)));
      }),
      { numRuns: 1000 },
    );
  });

  it('follows an address that changes from scapy’s one packet to its other', () => {
    // IP(tos=0xb8, len=1500, id=0xbeef, flags='DF', ttl=64, proto=17, src='10.244.0.2', dst='192.168.77.3')
    const before = place('45b805dcbeef400040115cc80af40002c0a84d03');
    expect(ipv4.isChecksumRight(view, AT, before)).toBe(true);
    const check = sums.update32(ipv4.checksum(view, AT), 0xc0a84d03, 0x0af40003);
    // The same with dst='10.244.0.3'
    expect(check).toBe(0x5f7d);
  });
});
