import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type FrontendSpec,
  NODE_FRONTEND,
  SCOPES,
  type ServiceSpec,
} from '../../../../src/dataplane/service-spec.js';
import { SCOPE, ServiceTable } from '../../../../src/dataplane/services/service-table.js';
import { backend, spec, TCP, UDP, word, words } from './service-fixture.js';

const VIP = '10.96.0.1';

function tableOf(...specs: ServiceSpec[]): ServiceTable {
  const table = new ServiceTable(5);
  table.change({ generation: 1, removed: [], changed: specs });
  return table;
}

function at(table: ServiceTable, address: string, port: number, protocol = TCP): string | undefined {
  const frontend = table.find4(word(address), protocol, port);
  return frontend < 0 ? undefined : table.service(frontend).name;
}

describe('ServiceTable', () => {
  it('finds a service by address, protocol and port, and by nothing less', () => {
    const table = tableOf(spec(1), spec(2));
    expect(at(table, VIP, 80)).toBe('shop/s1:http');
    expect(at(table, '10.96.0.2', 80)).toBe('shop/s2:http');
    expect(at(table, VIP, 81)).toBeUndefined();
    expect(at(table, VIP, 80, UDP)).toBeUndefined();
    expect(at(table, '10.96.0.3', 80)).toBeUndefined();
    expect(table.find6(0, 0, 0, word(VIP), TCP, 80)).toBe(-1);
    expect(table.findNode(false, TCP, 80)).toBe(-1);
    expect({ size: table.size, frontends: table.frontends, generation: table.generation }).toEqual({
      size: 2,
      frontends: 2,
      generation: 1,
    });
    expect(table.get(2)?.name).toBe('shop/s2:http');
    expect(table.get(3)).toBeUndefined();
  });

  it('knows frontends of IPv6, of the node, and the scope of each', () => {
    const table = tableOf(
      spec(0, {
        family: 'IPv6',
        protocol: 'UDP',
        backends: [backend('fd00::5')],
        frontends: [
          { address: 'fd00:96::1', port: 53, scope: 'local' },
          { address: NODE_FRONTEND, port: 30_053, scope: 'split' },
        ],
      }),
    );
    const [w0, w1, w2, w3] = words('fd00:96::1');
    const own = table.find6(w0, w1, w2, w3, UDP, 53);
    const node = table.findNode(true, UDP, 30_053);
    expect([table.scope(own), table.scope(node)]).toEqual([SCOPE.LOCAL, SCOPE.SPLIT]);
    expect(table.service(own)).toBe(table.service(node));
    expect(table.findNode(false, UDP, 30_053)).toBe(-1);
    expect(table.find6(w0, w1 ^ 1, w2, w3, UDP, 53)).toBe(-1);
    expect(table.find4(w3, UDP, 53)).toBe(-1);
    expect(SCOPES[SCOPE.SPLIT]).toBe('split');
  });

  it('gives a frontend that two claim to the lower number, and to the other when that one goes', () => {
    const frontends: FrontendSpec[] = [{ address: VIP, port: 80, scope: 'cluster' }];
    const table = tableOf(spec(7, { frontends }), spec(4, { frontends }), spec(9, { frontends }));
    const holder = () => at(table, VIP, 80);
    const change = (removed: number[], changed: ServiceSpec[]) =>
      table.change({ generation: 2, removed, changed });
    expect(holder()).toBe('shop/s4:http');
    change([7], []);
    expect(holder()).toBe('shop/s4:http');
    change([], [spec(4, { frontends: [] })]);
    expect(holder()).toBe('shop/s9:http');
    change([], [spec(8, { frontends: [{ ...frontends[0], scope: 'local' }] })]);
    expect(holder()).toBe('shop/s8:http');
    expect(table.scope(table.find4(word(VIP), TCP, 80))).toBe(SCOPE.LOCAL);
    change([8, 9, 4], []);
    expect(holder()).toBeUndefined();
    expect([table.size, table.frontends]).toEqual([0, 0]);
  });

  it('removes first: a number in both lists is a new service', () => {
    const table = tableOf(spec(1));
    table.change({ generation: 3, removed: [1], changed: [spec(1, { name: 'b/b:b' })] });
    expect(at(table, VIP, 80)).toBe('b/b:b');
    expect([table.size, table.frontends, table.generation]).toEqual([1, 1, 3]);
  });

  it('takes no part of a change that cannot be', () => {
    const table = tableOf(spec(1));
    const changed = [spec(2), spec(3, { backends: [backend('fd00::1')] })];
    expect(() => table.change({ generation: 2, removed: [1], changed })).toThrow(/no IPv4 address/);
    expect([table.size, table.generation, at(table, VIP, 80)]).toEqual([1, 1, 'shop/s1:http']);
    const odd = (more: Partial<ServiceSpec>) => () => tableOf(spec(1, more));
    expect(odd({ id: -1 })).toThrow(/number of a service/);
    expect(odd({ frontends: [{ address: VIP, port: 0, scope: 'local' }] })).toThrow(/port of a frontend/);
  });

  it('is what a plain list says, whatever changes', () => {
    const frontend = fc.record({
      address: fc.constantFrom('10.96.0.1', '10.96.0.2', '10.96.0.3', NODE_FRONTEND),
      port: fc.integer({ min: 1, max: 4 }),
      scope: fc.constantFrom(...SCOPES),
    });
    const one = fc.record({
      id: fc.nat(12),
      protocol: fc.constantFrom('TCP' as const, 'UDP' as const),
      frontends: fc.array(frontend, { maxLength: 5 }),
    });
    const change = fc.record({
      removed: fc.array(fc.nat(12), { maxLength: 3 }),
      changed: fc.array(one, { maxLength: 4 }),
    });
    const run = fc.property(fc.array(change, { maxLength: 25 }), fc.nat(1000), (changes, seed) => {
      const table = new ServiceTable(seed);
      const model = new Map<number, ServiceSpec>();
      changes.forEach(({ removed, changed }, i) => {
        const specs = changed.map(({ id, ...more }) =>
          spec(id, { ...more, name: `${i}/${id}`, backends: [] }),
        );
        table.change({ generation: i, removed, changed: specs });
        for (const id of removed) model.delete(id);
        for (const service of specs) model.set(service.id, service);
        expectSame(table, model);
      });
    });
    fc.assert(run, { numRuns: 60 });
  });

  it('holds thousands, found at a small cost after as many changes', () => {
    const table = new ServiceTable(1);
    const count = 5000;
    const numbers = Array.from({ length: count }, (_, i) => i);
    const make = (id: number) => spec(id, { backends: [] });
    table.change({ generation: 1, removed: [], changed: numbers.map(make) });
    table.change({ generation: 2, removed: numbers.filter((i) => i % 3 === 0), changed: [] });
    const found = numbers.map((id) => table.find4(word(make(id).frontends[0].address), TCP, 80));
    found.forEach((frontend, id) => {
      if (id % 3 === 0) expect(frontend).toBe(-1);
      else expect(table.service(frontend).id).toBe(id);
    });
  });
});

/** Asks for everything that there may be. */
function expectSame(table: ServiceTable, model: ReadonlyMap<number, ServiceSpec>): void {
  const specs = [...model.values()].sort((a, b) => a.id - b.id);
  expect(table.size).toBe(specs.length);
  expect(table.frontends).toBe(specs.reduce((sum, { frontends }) => sum + frontends.length, 0));
  for (const address of ['10.96.0.1', '10.96.0.2', '10.96.0.3', NODE_FRONTEND]) {
    for (const protocol of ['TCP', 'UDP'] as const) {
      for (let port = 1; port <= 4; port++) {
        const number = protocol === 'TCP' ? TCP : UDP;
        const found =
          address === NODE_FRONTEND
            ? table.findNode(false, number, port)
            : table.find4(word(address), number, port);
        const claimed = (one: FrontendSpec) => one.address === address && one.port === port;
        const holder = specs.find((one) => one.protocol === protocol && one.frontends.some(claimed));
        expect(found < 0 ? undefined : table.service(found).name).toBe(holder?.name);
        if (holder) expect(SCOPES[table.scope(found)]).toBe(holder.frontends.find(claimed)?.scope);
      }
    }
  }
}
