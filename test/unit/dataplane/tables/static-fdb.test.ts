import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StaticFdb, type StaticFdbEntry } from '../../../../src/dataplane/tables/static-fdb.js';

const entry: fc.Arbitrary<StaticFdbEntry> = fc.record({
  domain: fc.oneof(fc.nat(2), fc.constant(65535)),
  hi: fc.constantFrom(0, 0x0200, 0xffff),
  lo: fc.oneof(fc.nat(50), fc.nat(0xffffffff)),
  port: fc.oneof(fc.nat(7), fc.constant(0x7fff_ffff)),
});

const key = ({ domain, hi, lo }: StaticFdbEntry): string => `${domain} ${hi} ${lo}`;

describe('StaticFdb', () => {
  it('holds what was built, and nothing else', () => {
    const entries = fc.uniqueArray(entry, { selector: key, maxLength: 200 });
    fc.assert(
      fc.property(entries, fc.array(entry), fc.maxSafeNat(), (list, others, seed) => {
        const model = new Map(list.map((one) => [key(one), one.port]));
        const fdb = StaticFdb.build(list, seed);
        expect(fdb.size).toBe(list.length);
        for (const one of [...list, ...others]) {
          expect(fdb.lookup(one.domain, one.hi, one.lo)).toBe(model.get(key(one)) ?? -1);
          expect(fdb.lookup(one.domain, one.hi, one.lo | 0)).toBe(model.get(key(one)) ?? -1);
        }
      }),
    );
  });

  it('answers -1 when empty', () => {
    expect(StaticFdb.build([]).lookup(0, 0, 0)).toBe(-1);
  });

  it('answers the same after a structured clone', () => {
    const fdb = StaticFdb.build([
      { domain: 1, hi: 0x0200, lo: 0x0a000001, port: 3 },
      { domain: 2, hi: 0x0200, lo: 0x0a000001, port: 4 },
    ]);
    const copy = StaticFdb.from(structuredClone(fdb.data));
    expect([1, 2, 3].map((domain) => copy.lookup(domain, 0x0200, 0x0a000001))).toEqual([3, 4, -1]);
  });

  it('is the same, byte for byte, for the same entries and seed', () => {
    const list = Array.from({ length: 100 }, (_, i) => ({ domain: i & 3, hi: 0x0200, lo: i, port: i }));
    expect(StaticFdb.build(list, 5).data).toEqual(StaticFdb.build(list, 5).data);
  });

  it('refuses an address given twice in a domain, and names it', () => {
    const one = { domain: 7, hi: 0x0200, lo: 0x0af40002, port: 3 };
    expect(() => StaticFdb.build([one, { ...one, domain: 8 }, { ...one, port: 4 }])).toThrowError(
      expect.objectContaining({
        code: 'TABLE_DUPLICATE',
        message: 'MAC 02:00:0a:f4:00:02 in domain 7 is given twice',
      }),
    );
  });

  it('refuses fields out of range', () => {
    const one = { domain: 7, hi: 0x0200, lo: 0x0af40002, port: 3 };
    for (const wrong of [
      { domain: 65536 },
      { domain: -1 },
      { hi: 65536 },
      { lo: 2 ** 32 },
      { port: -1 },
      { port: 0.5 },
    ]) {
      expect(() => StaticFdb.build([{ ...one, ...wrong }])).toThrowError(
        expect.objectContaining({ code: 'TABLE_INVALID' }),
      );
    }
  });
});
