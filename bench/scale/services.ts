/**
 * `scale.services`: what 50,000 services with 250,000 endpoints cost beside ten: a first packet, from its tuple to a backend, and to a
 * flow opened and decided about; the first packet of all at a service, which makes its Maglev table; one endpoint changed,
 * from its slice to its being in force in a running worker; memory.
 *
 * First packets go to services at random, from clients that nobody has seen, into a table of flows that is full: each evicts another.
 */
import { FlowKey } from '../../src/dataplane/flows/flow-key.js';
import { makeFlowMemory } from '../../src/dataplane/flows/flow-memory.js';
import { FlowTable } from '../../src/dataplane/flows/flow-table.js';
import type { ServiceSpec } from '../../src/dataplane/service-spec.js';
import { choiceHash } from '../../src/dataplane/services/choice-hash.js';
import { ServiceTable } from '../../src/dataplane/services/service-table.js';
import { Dataplane } from '../../src/dataplane/worker/handle.js';
import { stepsOf } from '../../src/dataplane/worker/service-steps.js';
import { FLAG } from '../../src/wire/tcp.js';
import { type Budget, type Case, timeCases } from '../engine/timing.js';
import type { Figure } from '../figure.js';
import { collect, residentMegabytes } from './memory-use.js';
import { addressOf, planOf, SCALE_SERVICES, sliceOf } from './service-world.js';
import { figure } from './values.js';

export const FEW = 10;
export const MANY = 50_000;
const BASELINE = `podwire, ${FEW} services`;

const TCP = 6;
const FLOWS = 1 << 16;
/** Packets of a call, and packets after which the services repeat. */
const PACKETS = 4096;
const QUERIES = 1 << 16;
/** Services whose first packet is timed. */
const UNUSED = 1000;
/** Changes of an endpoint for each round asked for. */
const CHANGES = 20;

/** What was found last, where anybody could look: so nothing of it is left out. */
export let lastFound = 0;

export async function measureServices(budget: Budget, say: (text: string) => void): Promise<Figure[]> {
  const few = await measureChanges(FEW, budget.rounds, say);
  const many = await measureChanges(MANY, budget.rounds, say);
  return [...firstPackets(few.specs, many.specs, budget, say), ...changeFigures(few, many)];
}

interface Changes {
  readonly specs: readonly ServiceSpec[];
  /** ms */
  readonly plan: number;
  readonly load: number;
  readonly inForce: readonly number[];
  /** MB */
  readonly planMemory: number;
  readonly workerMemory: number;
}

async function measureChanges(count: number, rounds: number, say: (text: string) => void): Promise<Changes> {
  say(`planning ${count} services`);
  collect();
  const empty = residentMegabytes();
  const planned = await timed(() => {
    const plan = planOf(count);
    return { plan, changes: plan.changes() };
  });
  const { plan, changes } = planned.value;
  collect();
  const full = residentMegabytes();
  const dataplane = await Dataplane.start({ io: 'poll', slots: 64 });
  try {
    const started = residentMegabytes();
    const load = await timed(() => dataplane.changeServices({ generation: 1, ...changes }));
    collect();
    const workerMemory = residentMegabytes() - started;
    const inForce: number[] = [];
    for (let i = 0; i < rounds * CHANGES; i++) {
      say(`${count} services, change ${i + 1} of ${rounds * CHANGES}`);
      const one = await timed(() => {
        plan.setSlice(sliceOf((i * 7919) % count, i % 5));
        return dataplane.changeServices({ generation: i + 2, ...plan.changes() });
      });
      inForce.push(one.ms);
    }
    const { changed } = changes;
    return {
      specs: changed,
      plan: planned.ms,
      load: load.ms,
      inForce,
      planMemory: full - empty,
      workerMemory,
    };
  } finally {
    await dataplane.stop();
  }
}

async function timed<T>(action: () => T | Promise<T>): Promise<{ value: T; ms: number }> {
  const began = performance.now();
  const value = await action();
  return { value, ms: performance.now() - began };
}

function firstPackets(
  few: readonly ServiceSpec[],
  many: readonly ServiceSpec[],
  budget: Budget,
  say: (text: string) => void,
): Figure[] {
  const loaded = loadedTable(many);
  const steps = loaded.steps;
  const cold = Array.from({ length: UNUSED }, (_, i) => usedFirst(loaded.table, i * (MANY / UNUSED)));
  const world = [
    { name: 'few', table: loadedTable(few).table, count: FEW },
    { name: 'many', table: loaded.table, count: MANY },
  ];
  const cases = world.flatMap(({ name, table, count }) => [
    choices(`choice, ${name}`, table, count),
    openings(`first, ${name}`, table, count),
  ]);
  const { cases: times } = timeCases(cases, budget, say);
  const cost = (metric: string, key: string): Figure =>
    figure(SCALE_SERVICES, { metric, unit: 'ns', better: 'lower' }, times.get(`${key}, many`)!, {
      name: BASELINE,
      values: times.get(`${key}, few`)!,
    });
  return [
    cost('a first packet, to its flow', 'first'),
    cost('a first packet, to its backend', 'choice'),
    plain('first packet of all at a service', 'µs', cold),
    plain('longest step of a load, in a worker', 'ms', [Math.max(...steps)]),
  ];
}

/** As a worker reads it: in steps, of which each takes so many ms. */
function loadedTable(changed: readonly ServiceSpec[]): { table: ServiceTable; steps: number[] } {
  const table = new ServiceTable(5);
  const steps: number[] = [];
  for (const step of stepsOf({ generation: 1, removed: [], changed }, 0)) {
    const began = performance.now();
    table.change(step);
    steps.push(performance.now() - began);
  }
  return { table, steps };
}

/** Microseconds of its first choice. */
function usedFirst(table: ServiceTable, service: number): number {
  const began = performance.now();
  lastFound = table.service(table.find4(addressOf(service), TCP, 80)).choose(service, false);
  return (performance.now() - began) * 1000;
}

function choices(name: string, table: ServiceTable, count: number): Case {
  const packets = new Packets(table, count, 1);
  return { name, packets: PACKETS, prepare: () => packets.warm(), run: () => packets.choose() };
}

function openings(name: string, table: ServiceTable, count: number): Case {
  const packets = new Packets(table, count, FLOWS);
  return { name, packets: PACKETS, prepare: () => packets.warm(), run: () => packets.open() };
}

class Packets {
  private readonly flows: FlowTable;
  private readonly original: FlowKey;
  private readonly reply: FlowKey;
  /** Addresses of services, in the order in which they are asked for. */
  private readonly services: Int32Array;
  private sent = 0;

  constructor(
    private readonly table: ServiceTable,
    count: number,
    capacity: number,
  ) {
    const memory = makeFlowMemory(Math.max(capacity, 64), 1, 3);
    this.flows = new FlowTable({ memory, ports: 64, quota: memory.capacity });
    this.original = new FlowKey(this.flows.hash);
    this.reply = new FlowKey(this.flows.hash);
    const pick = (i: number): number => (Math.imul(i + 1, 0x9e3779b1) >>> 8) % count;
    this.services = Int32Array.from({ length: QUERIES }, (_, i) => addressOf(pick(i)));
  }

  /** Every service has its Maglev table, and every entry a flow. */
  warm(): void {
    for (let i = 0; i < QUERIES; i += PACKETS) this.open();
  }

  choose(): void {
    let found = 0;
    for (let i = 0; i < PACKETS; i++) {
      const service = this.arrive();
      const index = service.choose(choiceHash(this.original), false);
      found = (found + service.word(index, 0) + service.port(index)) | 0;
    }
    lastFound = found;
  }

  open(): void {
    const { flows, original, reply } = this;
    for (let i = 0; i < PACKETS; i++) {
      const service = this.arrive();
      const index = service.choose(choiceHash(original), false);
      reply.mirror(original, 1);
      reply.source[3] = service.word(index, 0);
      reply.seal(reply.subject, (service.port(index) << 16) | (reply.ports & 0xffff));
      const handle = flows.open(original, reply, i & 63, FLAG.SYN, 0);
      // A full index has no room for one in many thousands.
      if (handle < 0) continue;
      flows.decide(handle, flows.found.state, 1, service.id, index, 1);
      lastFound = flows.track(handle, flows.found.state, FLAG.SYN, i, 0, 1, 60, 0);
    }
  }

  /** The next packet's tuple, and the service that it is for. */
  private arrive() {
    const { table, original } = this;
    const number = this.sent++;
    const address = this.services[number & (QUERIES - 1)];
    const ports = ((1024 + (number & 0x7fff)) << 16) | 80;
    original.setIpv4(1, TCP, (0x0c000000 + (number >>> 8)) | 0, address, ports);
    return table.service(table.find4(address, TCP, 80));
  }
}

function changeFigures(few: Changes, many: Changes): Figure[] {
  const inForce = { metric: 'one endpoint changed, in force', unit: 'ms', better: 'lower' } as const;
  const baseline = { name: BASELINE, values: few.inForce };
  return [
    figure(SCALE_SERVICES, inForce, many.inForce, baseline),
    plain('one endpoint changed, in force, slowest', 'ms', [Math.max(...many.inForce)]),
    plain('all services planned', 'ms', [many.plan]),
    plain('all services in force', 'ms', [many.load]),
    plain('memory of manifests and plan', 'MB', [many.planMemory - few.planMemory]),
    plain('memory of one worker’s services', 'MB', [many.workerMemory - few.workerMemory]),
  ];
}

function plain(metric: string, unit: string, values: readonly number[]): Figure {
  return figure(SCALE_SERVICES, { metric, unit, better: 'lower' }, values);
}
