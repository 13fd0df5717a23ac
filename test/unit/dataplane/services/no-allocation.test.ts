/** Nothing is allocated by what a first packet asks of services: as in flows/no-allocation.test.ts. */
import { expect, it } from 'vitest';
import { AffinityTable } from '../../../../src/dataplane/services/affinity.js';
import { choiceHash, clientHash } from '../../../../src/dataplane/services/choice-hash.js';
import { Service } from '../../../../src/dataplane/services/service.js';
import { ServiceTable } from '../../../../src/dataplane/services/service-table.js';
import { measure, SLACK } from '../../../support/allocation.js';
import { random } from '../tables/random.js';
import { backend, backends, keyOf, spec, TCP } from './service-fixture.js';

const COUNT = 200_000;
const WORDS = (() => {
  const next = random(11);
  return Int32Array.from({ length: 4096 }, () => next(2 ** 32));
})();

function operations(): [string, (i: number) => number][] {
  const table = new ServiceTable(3);
  const many = backends(100, { node: 'active' });
  const specs = [spec(0, { backends: many }), ...Array.from({ length: 499 }, (_, i) => spec(i + 1))];
  table.change({ generation: 1, removed: [], changed: specs });
  const v6 = new Service(
    spec(1, { family: 'IPv6', backends: [backend('fd00::1'), backend('fd00::8000:1')], affinitySeconds: 1 }),
  );
  const affinity = new AffinityTable(4, 256);
  const key = keyOf('138.0.0.1', '10.96.0.1');
  const wide = keyOf('fd00:8000::1', 'fd00::1');
  return [
    [
      'find, choose, index',
      (i) => {
        const frontend = table.find4(0x0a600000 + (i & 511), TCP, 80);
        const missed =
          table.find6(WORDS[i & 4095], 1, 2, WORDS[i & 255], TCP, 80) + table.findNode(true, TCP, i);
        if (frontend < 0) return missed;
        const service = table.service(frontend);
        const index = service.choose(WORDS[i & 4095], (i & 1) === 0 && service.id === 0);
        if (index < 0) return 7;
        return service.indexOf4(service.word(index, 0), service.port(index)) + table.scope(frontend) + missed;
      },
    ],
    [
      'hashes and affinity',
      (i) => {
        key.source[3] = WORDS[i & 4095];
        wide.source[2] = WORDS[(i >> 1) & 4095];
        const service = table.get(i & 255)!;
        const kept = affinity.find(service, key, false, i);
        if (kept < 0) affinity.keep(service, key, i % 3, i);
        const other = affinity.find(v6, wide, false, i);
        if (other < 0) affinity.keep(v6, wide, i & 1, i);
        return choiceHash(key) ^ clientHash(wide) ^ kept ^ other;
      },
    ],
  ];
}

it.each(operations())('no allocation: %s', async (_, operation) => {
  const { bytes, collections, sum } = await measure(operation, COUNT);
  expect({ bytes: bytes < SLACK ? 'none' : bytes, collections }).toEqual({ bytes: 'none', collections: 0 });
  expect(sum).not.toBe(0);
});
