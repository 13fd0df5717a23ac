import { describe, expect, it } from 'vitest';
import { InMemoryDevice } from '../../../src/dataplane/devices/memory.js';
import { Engine } from '../../../src/dataplane/engine.js';
import { ASK } from '../../../src/dataplane/policy/policy-table.js';
import { compileTables } from '../../../src/dataplane/tables.js';
import { wasmChecksum } from '../../../src/wire/checksum-kernel.js';
import { networks } from '../../support/snapshots.js';
import { changes, tier } from './policy/policy-fixture.js';

const SNAPSHOT = networks({ ports: [3] });
const TOLD = {
  rulesets: [{ id: 1, tiers: [tier([])] }],
  ports: [1, 2].map((port) => ({ port, identity: 10 + port, ingress: 1, egress: 0 })),
};

/** Ports 1 and 2 of three are policed. */
function swap(engine: Engine, generation: number): void {
  const ports = SNAPSHOT.ports.map((port) => ({ ...port, policed: port.id === 1 || port.id === 2 }));
  engine.swap(compileTables({ ...SNAPSHOT, ports, generation }));
}

function world() {
  const engine = new Engine({ slots: 16, seed: 7, checksum: wasmChecksum });
  const { policies } = engine.context;
  return { engine, policies, asks: () => [...policies.asks.subarray(1, 4)] };
}

describe('policies in an engine', () => {
  it('are in force at once, and their generation is that of flows until a higher one', () => {
    const { engine, asks } = world();
    swap(engine, 3);
    expect(asks()).toEqual([ASK.PENDING, ASK.PENDING, 0]);
    engine.changePolicies(changes({ ...TOLD, generation: 4 }));
    expect(asks()).toEqual([ASK.INGRESS, ASK.INGRESS, 0]);
    expect([engine.generation, engine.context.flows.generation]).toEqual([4, 4]);
    swap(engine, 5);
    expect([engine.generation, engine.context.policies.generation, ...asks()]).toEqual([
      5,
      4,
      ASK.INGRESS,
      ASK.INGRESS,
      0,
    ]);
    const wrong = changes({ generation: 6, removedSets: [-1] });
    expect(() => engine.changePolicies(wrong)).toThrow(expect.objectContaining({ code: 'TABLE_INVALID' }));
    expect(engine.generation).toBe(5);
  });

  it('may be told of a port before the snapshot opens it', () => {
    const { engine, asks } = world();
    engine.changePolicies(changes({ ...TOLD, generation: 1 }));
    expect(asks()).toEqual([0, 0, 0]);
    swap(engine, 2);
    expect(asks()).toEqual([ASK.INGRESS, ASK.INGRESS, 0]);
    engine.swap(compileTables({ ...SNAPSHOT, generation: 3 }));
    expect(asks()).toEqual([0, 0, 0]);
  });

  it('of a port end with it: whoever has its number next is closed until told of', () => {
    const { engine, policies, asks } = world();
    swap(engine, 1);
    engine.attach(new InMemoryDevice({ context: engine, port: 1 }));
    engine.attach(new InMemoryDevice({ context: engine, port: 2 }));
    engine.changePolicies(changes({ ...TOLD, generation: 2 }));
    engine.detach(1);
    expect([policies.identityOf(1), ...asks()]).toEqual([0, ASK.PENDING, ASK.INGRESS, 0]);
    // Told of too late: the port is gone.
    engine.changePolicies(changes({ ports: TOLD.ports, generation: 3 }));
    engine.attach(new InMemoryDevice({ context: engine, port: 1 }));
    expect([policies.identityOf(1), ...asks()]).toEqual([0, ASK.PENDING, ASK.INGRESS, 0]);
  });
});
