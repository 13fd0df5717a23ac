import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AffinityTable } from '../../../../src/dataplane/services/affinity.js';
import { Service } from '../../../../src/dataplane/services/service.js';
import { backend, backends, keyOf, spec } from './service-fixture.js';

const VIP = '10.96.0.1';
const SECONDS = 10;
const sticky = (id: number, list = backends(4)) =>
  new Service(spec(id, { affinitySeconds: SECONDS, backends: list }));

describe('AffinityTable', () => {
  it('keeps the backend of a client of a service, from whatever port it comes', () => {
    const table = new AffinityTable(1, 16);
    const [one, two] = [sticky(1), sticky(2)];
    table.keep(one, keyOf('10.0.0.1', VIP), 2, 0);
    expect(table.find(one, keyOf('10.0.0.1', VIP, 999, 443), false, 1)).toBe(2);
    expect(table.find(one, keyOf('10.0.0.2', VIP), false, 1)).toBe(-1);
    expect(table.find(two, keyOf('10.0.0.1', VIP), false, 1)).toBe(-1);
    expect(table.size).toBe(1);
  });

  it('forgets it when the client has opened nothing for so long, across the end of the clock too', () => {
    const table = new AffinityTable(1, 16);
    const one = sticky(1);
    const key = keyOf('10.0.0.1', VIP);
    const start = 2 ** 32 - 5000;
    table.keep(one, key, 3, start);
    expect(table.find(one, key, false, start + 9999)).toBe(3);
    expect(table.find(one, key, false, start + 19_998)).toBe(3);
    expect(table.find(one, key, false, start + 29_998)).toBe(-1);
    expect(table.size).toBe(0);
  });

  it('follows the backend to another place in the list, and gives it up with the backend', () => {
    const table = new AffinityTable(1, 16);
    const key = keyOf('10.0.0.1', VIP);
    const list = backends(4);
    table.keep(sticky(1, list), key, 3, 0);
    expect(table.find(sticky(1, list.slice(2)), key, false, 1)).toBe(1);
    const unready = list.map((one, i) => (i === 3 ? { ...one, cluster: 'unready' as const } : one));
    expect(table.find(sticky(1, unready), key, false, 1)).toBe(-1);
    expect(table.find(sticky(1, list), key, false, 1)).toBe(-1);
    table.keep(sticky(1, list), key, 3, 2);
    expect(table.find(sticky(1, list.slice(0, 3)), key, false, 3)).toBe(-1);
  });

  it('holds what is active in the scope that is asked for', () => {
    const table = new AffinityTable(1, 16);
    const one = sticky(1, [backend('10.244.0.1', { node: 'active' }), backend('10.244.0.2')]);
    const key = keyOf('10.0.0.1', VIP);
    table.keep(one, key, 0, 0);
    expect(table.find(one, key, true, 1)).toBe(0);
    table.keep(one, key, 1, 2);
    expect(table.find(one, key, true, 3)).toBe(-1);
  });

  it('knows clients of IPv6 by the whole address', () => {
    const table = new AffinityTable(1, 16);
    const list = [backend('fd00::1'), backend('fd00:0:1::1')];
    const one = new Service(spec(1, { family: 'IPv6', affinitySeconds: 1, backends: list }));
    table.keep(one, keyOf('fd00::9', 'fd00:96::1'), 1, 0);
    expect(table.find(one, keyOf('fd00::9', 'fd00:96::1', 7), false, 1)).toBe(1);
    expect(table.find(one, keyOf('fd00:1::9', 'fd00:96::1'), false, 1)).toBe(-1);
  });

  it('gives up, when full, whoever has opened nothing for longest: against a plain list', () => {
    const step = fc.record({ client: fc.nat(9), id: fc.nat(2), index: fc.nat(3), after: fc.nat(4000) });
    const services = [0, 1, 2].map((id) => sticky(id));
    const run = fc.property(fc.array(step, { maxLength: 80 }), fc.nat(99), (steps, seed) => {
      const capacity = 6;
      const table = new AffinityTable(seed, capacity);
      let model: { name: string; index: number; used: number }[] = [];
      let now = 0;
      for (const { client, id, index, after } of steps) {
        now += after;
        const name = `${id} ${client}`;
        const key = keyOf(`10.0.0.${client}`, VIP);
        const known = model.find((one) => one.name === name);
        const isOver = known !== undefined && now - known.used >= SECONDS * 1000;
        const expected = known === undefined || isOver ? -1 : known.index;
        expect(table.find(services[id], key, false, now)).toBe(expected);
        model = model.filter((one) => one !== known);
        if (expected < 0) {
          if (model.length === capacity) model.shift();
          table.keep(services[id], key, index, now);
        }
        model.push({ name, index: expected < 0 ? index : expected, used: now });
        expect(table.size).toBe(model.length);
      }
    });
    fc.assert(run, { numRuns: 100 });
  });
});
