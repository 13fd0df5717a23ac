import { describe, expect, it } from 'vitest';
import { shareConnections } from '../../../src/dataplane/connections.js';
import { InMemoryDevice } from '../../../src/dataplane/devices/memory.js';
import { Engine } from '../../../src/dataplane/engine.js';
import { FlowKey } from '../../../src/dataplane/flows/flow-key.js';
import { compileTables } from '../../../src/dataplane/tables.js';
import { wasmChecksum } from '../../../src/wire/checksum-kernel.js';
import { networks } from '../../support/snapshots.js';
import { keyOf, spec, TCP, word } from './services/service-fixture.js';

const COMMON = { slots: 16, seed: 7, checksum: wasmChecksum };
const SNAPSHOT = networks({ ports: [3] });

function swap(engine: Engine, generation: number): void {
  engine.swap(compileTables({ ...SNAPSHOT, generation }));
}

/** Opens a UDP flow that `port` sent the first packet of. */
function open({ context }: Engine, port: number, client = '10.0.0.1'): number {
  const original = keyOf(client, '10.96.0.1');
  original.seal(original.subject - 6 + 17);
  const reply = new FlowKey(context.flows.hash);
  reply.mirror(original, 0);
  return context.flows.open(original, reply, port, 0, context.millis);
}

describe('services in an engine', () => {
  it('are in force at once, and their generation is that of flows until a higher one', () => {
    const engine = new Engine(COMMON);
    const { context } = engine;
    swap(engine, 3);
    expect([context.generation, context.flows.generation]).toEqual([3, 3]);
    engine.changeServices({ generation: 4, removed: [], changed: [spec(1)] });
    expect([engine.generation, context.flows.generation, context.tables.generation]).toEqual([4, 4, 3]);
    const frontend = context.services.find4(word('10.96.0.1'), TCP, 80);
    expect(context.services.service(frontend).id).toBe(1);
    swap(engine, 5);
    expect([engine.generation, context.flows.generation, context.services.generation]).toEqual([5, 5, 4]);
    expect(context.services.size).toBe(1);
    const wrong = { generation: 6, removed: [], changed: [spec(2, { id: -2 })] };
    expect(() => engine.changeServices(wrong)).toThrow(expect.objectContaining({ code: 'TABLE_INVALID' }));
    expect(engine.generation).toBe(5);
  });

  it('make what was decided before stale', () => {
    const engine = new Engine(COMMON);
    const { flows } = engine.context;
    swap(engine, 1);
    const handle = open(engine, 1);
    flows.decide(handle, flows.found.state, 1, 2, 3, engine.generation);
    const isStale = () => {
      flows.lookup4(1, 17, word('10.0.0.1'), word('10.96.0.1'), (40_000 << 16) | 80, 0);
      return flows.found.isStale;
    };
    expect(isStale()).toBe(false);
    engine.changeServices({ generation: 2, removed: [], changed: [] });
    expect(isStale()).toBe(true);
  });
});

describe('flows of an engine', () => {
  it('go with the port that opened them, as does the mark of a port', () => {
    const engine = new Engine(COMMON);
    const { context } = engine;
    engine.attach(new InMemoryDevice({ context: engine, port: 2 }));
    swap(engine, 1);
    open(engine, 2, '10.0.0.2');
    open(engine, 1, '10.0.0.3');
    context.tracked.fill(1, 0, 4);
    engine.detach(2);
    expect([...context.tracked.subarray(0, 4)]).toEqual([1, 1, 0, 1]);
    while (engine.sweep(1) === 0);
    expect([context.flows.countOf(1), context.flows.countOf(2)]).toEqual([1, 0]);
  });

  it('are swept while nothing comes', () => {
    const engine = new Engine(COMMON);
    swap(engine, 1);
    engine.sweep(0);
    open(engine, 1);
    for (let now = 0; engine.context.flows.size > 0; now += 1000) {
      expect(now).toBeLessThan(60_000);
      const next = engine.sweep(now);
      if (engine.context.flows.size > 0) expect(next).toBeLessThanOrEqual(5000);
    }
  });

  it('are shared by engines, in time and place, whenever each thread began', () => {
    const shared = shareConnections(64, 2, 7);
    const [one, two] = [0, 1].map(
      (own) => new Engine({ ...COMMON, connections: { ...shared, own, clockStart: 2 ** 31 + own * 5000 } }),
    );
    for (const engine of [one, two]) swap(engine, 1);
    one.sweep(9000);
    two.sweep(4000);
    expect(one.context.millis).toBe(two.context.millis);
    expect(Object.is(one.context.millis, one.context.millis | 0)).toBe(true);
    open(one, 1);
    const found = two.context.flows.lookup4(
      1,
      17,
      word('10.0.0.1'),
      word('10.96.0.1'),
      (40_000 << 16) | 80,
      two.context.millis,
    );
    expect(found).toBeGreaterThan(0);
    one.context.tracked[3] = 1;
    expect(two.context.tracked[3]).toBe(1);
    two.detach(3);
    expect(one.context.tracked[3]).toBe(0);
  });
});
