import { describe, expect, it } from 'vitest';
import { ELSEWHERE, NOBODY, STATE } from '../../../../src/dataplane/services/service.js';
import { buildMaglev } from '../../../../src/dataplane/tables/maglev.js';
import { backend, backends, service, word, words } from './service-fixture.js';

const hashes = Array.from({ length: 3000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));

function chosen(one: ReturnType<typeof service>, isNodeScope = false): number[] {
  return [...new Set(hashes.map((hash) => one.choose(hash, isNodeScope)))].sort((a, b) => a - b);
}

describe('Service', () => {
  it('has what it was made of as numbers', () => {
    const one = service({
      protocol: 'UDP',
      affinitySeconds: 10,
      onRemoval: 'drain',
      backends: [
        backend('10.244.0.9', { port: 53, local: true, node: 'draining' }),
        backend('10.244.1.9', { cluster: 'unready' }),
      ],
    });
    expect(one).toMatchObject({
      id: 1,
      name: 'shop/s1:http',
      isIpv6: false,
      protocol: 17,
      affinityMs: 10_000,
      drains: true,
      count: 2,
    });
    const both = <T>(of: (index: number) => T): T[] => [0, 1].map(of);
    expect(both((i) => one.word(i, 0))).toEqual([0x0af40009, 0x0af40109]);
    expect(both((i) => one.port(i))).toEqual([53, 8080]);
    expect(both((i) => one.isLocal(i))).toEqual([true, false]);
    expect(both((i) => one.state(i, false))).toEqual([STATE.ACTIVE, STATE.UNREADY]);
    expect(both((i) => one.state(i, true))).toEqual([STATE.DRAINING, STATE.ABSENT]);
    expect(service()).toMatchObject({ affinityMs: 0, drains: false });
  });

  it('chooses as a Maglev table of its active backends by name does', () => {
    const list = backends(5);
    const slots = buildMaglev(list);
    const one = service({ backends: list });
    for (const hash of hashes)
      expect(one.choose(hash, false)).toBe(slots[(hash & 0x7fffffff) % slots.length]);
  });

  it('chooses the same backend in whatever order the list is, and whatever else is in it', () => {
    const list = backends(7);
    const one = service({ backends: list });
    const other = service({
      backends: [backend('10.9.9.9', { cluster: 'unready' }), ...[...list].reverse()],
    });
    for (const hash of hashes) {
      expect(other.word(other.choose(hash, false), 0)).toBe(one.word(one.choose(hash, false), 0));
    }
  });

  it('chooses active ones of the scope only', () => {
    const one = service({
      backends: [
        backend('10.244.0.1', { cluster: 'draining', node: 'draining' }),
        backend('10.244.0.2', { node: 'active' }),
        backend('10.244.0.3'),
        backend('10.244.0.4', { cluster: 'unready', node: 'active' }),
      ],
    });
    expect(chosen(one)).toEqual([1, 2]);
    expect(chosen(one, true)).toEqual([1, 3]);
    expect([0, 1, 2, 3].map((i) => one.isActive(i, false))).toEqual([false, true, true, false]);
    expect([0, 1, 2, 3].map((i) => one.isActive(i, true))).toEqual([false, true, false, true]);
  });

  it('tells that there is nobody from that there is somebody elsewhere', () => {
    expect(chosen(service({ backends: [] }))).toEqual([NOBODY]);
    expect(chosen(service({ backends: [] }), true)).toEqual([NOBODY]);
    expect(chosen(service({ backends: backends(2, { cluster: 'unready' }) }), true)).toEqual([NOBODY]);
    expect(chosen(service({ backends: backends(2, { cluster: 'draining' }) }))).toEqual([NOBODY]);
    expect(chosen(service({ backends: backends(2) }), true)).toEqual([ELSEWHERE]);
  });

  it.each([1, 16, 17, 3000])('finds each of %d backends by address and port', (count) => {
    const one = service({ backends: backends(count) });
    const indexes = Array.from({ length: count }, (_, i) => i);
    expect(indexes.map((i) => one.indexOf4(one.word(i, 0), 8080))).toEqual(indexes);
    expect(one.indexOf4(one.word(0, 0), 8081)).toBe(-1);
    expect(one.indexOf4(word('10.245.0.1'), 8080)).toBe(-1);
  });

  it.each([2, 300])('finds each of %d backends of IPv6', (count) => {
    const list = Array.from({ length: count }, (_, i) => backend(`fd00:${i.toString(16)}::${i % 3}`));
    const one = service({ family: 'IPv6', backends: list });
    list.forEach(({ address }, i) => {
      const [w0, w1, w2, w3] = words(address);
      expect(one.indexOf6(w0, w1, w2, w3, 8080)).toBe(i);
      expect(one.indexOf6(w0, w1, w2, w3 ^ 0x100, 8080)).toBe(-1);
      expect(one.indexOf6(w0, w1 ^ 1, w2, w3, 8080)).toBe(-1);
    });
  });

  it.each([256, 257, 700])('chooses among %d backends as the table in arrays does', (count) => {
    const list = backends(count);
    const slots = buildMaglev(list);
    const one = service({ backends: list });
    for (const hash of hashes)
      expect(one.choose(hash, false)).toBe(slots[(hash & 0x7fffffff) % slots.length]);
  });

  it('refuses what it cannot hold, by its code', () => {
    const refused = (list: ReturnType<typeof backends>) => () => service({ backends: list });
    expect(refused([backend('fd00::1')])).toThrow(expect.objectContaining({ code: 'TABLE_INVALID' }));
    expect(refused([backend('10.0.0.1', { port: 70_000 })])).toThrow(/port of a backend/);
    expect(refused([backend('10.0.0.1'), backend('10.0.0.1')])).toThrow(/two backends of one name/);
    expect(refused([backend('ten')])).toThrow(expect.objectContaining({ code: 'BAD_ADDRESS' }));
    expect(refused(backends(65_536))).toThrow(expect.objectContaining({ code: 'TABLE_TOO_LARGE' }));
  });
});
