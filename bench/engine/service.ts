/**
 * `engine.service`: what a service costs a packet, in the whole engine as `engine.pipeline` has it.
 *
 * UDP frames of 60 octets go to pods of a thousand nodes twice: to the pods' own addresses, and to those of a thousand services,
 * of each of which one of these pods is the only backend. So both take the same way out, and the difference is
 * translation: the flow's lookup, addresses, ports and checksums. Answers of these pods come out of the tunnel and go to one
 * local pod, with flows and without. The ratio is of costs: 1 means that a service costs nothing.
 *
 *     1 k flows, 64 k flows    they are in the table before anything is timed
 *     new connections          each packet opens a flow; its port has as many as it may, so one of its others goes
 *
 * Three engines, so that the one without services has nothing of them, and the one whose connections go on has none of those that
 * come and go.
 */
import { shareConnections } from '../../src/dataplane/connections.js';
import type { ServiceSpec } from '../../src/dataplane/service-spec.js';
import type { Snapshot } from '../../src/dataplane/snapshot.js';
import { compileTables, type TablesData } from '../../src/dataplane/tables.js';
import { type Figure, median } from '../figure.js';
import { EPHEMERAL_PORTS, SERVICE_PORT } from '../traffic/mix.js';
import { warmUp } from './cases.js';
import * as cluster from './cluster.js';
import { cost, rateAndCost, reference } from './figures.js';
import { BATCH, BenchNode, type Workload } from './node.js';
import { exchangeEnds, inVxlan, readdress, sourcesOf } from './rewrite.js';
import { type Budget, type Case, timeCases } from './timing.js';
import * as workloads from './workloads.js';

export const SERVICE = 'engine.service';

const SERVICES = 1000;
const FIRST_SERVICE = 0x0a60_0100;
const FIRST_NODE_ADDRESS = 0x0a80_0000;
const CAPACITY = 262_144;
const SIZES = { '1 k flows': 1000, '64 k flows': 65_536 } as const;
/** More than the table has room for. */
const NEW_FLOWS = 500_000;
const NEW = 'new connections';
const PLAIN = 'without services';
/** Above those of the workloads' tables. */
const GENERATION = 1_000_000;

interface Pair {
  readonly name: string;
  readonly plain: Workload;
  readonly service: Workload;
}

export function measureService(
  budget: Budget,
  say: (text: string) => void,
  sizes: Readonly<Record<string, number>> = SIZES,
  newFlows = NEW_FLOWS,
): Figure[] {
  say('making mixes and tables');
  const pairs = Object.entries(sizes).flatMap(([name, flows]) => pairsOf(name, flows));
  const opening = toServices(NEW, newFlows);
  const most = Math.max(...Object.values(sizes));
  const nodes = [
    nodeWithServices(
      pairs.map(({ service }) => service),
      most,
    ),
    nodeWithServices([opening], newFlows),
    new BenchNode(pairs.map(({ plain }) => plain)),
  ];
  const cases = nodes.flatMap((node) =>
    node.cases().map((each, index) => settled(each, node.workloads[index])),
  );
  say('warming up');
  for (const each of cases) warmUp(each, budget.seconds);
  const times = timeCases(cases, budget, say);
  for (const node of nodes) node.check();
  const ns = (workload: Workload): readonly number[] => times.cases.get(workload.name)!;
  return [
    ...pairs.map((pair) => compared(pair, ns(pair.service), ns(pair.plain))),
    ...rateAndCost(SERVICE, NEW, ns(opening)),
    reference(SERVICE, times),
  ];
}

function compared({ name }: Pair, service: readonly number[], plain: readonly number[]): Figure {
  const own = cost(SERVICE, name, service);
  const baselineValue = median(plain);
  return {
    ...{ scenario: own.scenario, subject: own.subject, metric: own.metric, unit: own.unit, value: own.value },
    baseline: PLAIN,
    baselineValue,
    ratio: own.value / baselineValue,
    spread: own.spread,
    baselineSpread: [Math.min(...plain), Math.max(...plain)],
    better: 'lower',
  };
}

/** To services and to their pods, and what the pods answer. */
export function pairsOf(name: string, flows: number): Pair[] {
  return [
    {
      name: `to services, ${name}`,
      plain: { ...toServices(`to pods, ${name}`, flows), traffic: toBackends(flows) },
      service: toServices(`to services, ${name}`, flows),
    },
    {
      name: `answers, ${name}`,
      plain: answers(`answers of pods, ${name}`, flows),
      service: answers(`answers of services, ${name}`, flows),
    },
  ];
}

let tables: TablesData | undefined;

function toServices(name: string, flows: number): Workload {
  tables ??= compileTables(withServices(workloads.nodeSnapshot()));
  return { name, tables, port: cluster.FIRST_POD, traffic: serviceMix(flows) };
}

function serviceMix(flows: number) {
  return workloads.mix(flows, { dst: '10.96.1.0', destinations: SERVICES });
}

function toBackends(flows: number) {
  return readdress(serviceMix(flows), undefined, backendOf);
}

/** From the backends through the tunnel, each from its node. */
function answers(name: string, flows: number): Workload {
  tables ??= compileTables(withServices(workloads.nodeSnapshot()));
  const frames = exchangeEnds(toBackends(flows), cluster.VTEP_MAC);
  const senders = Int32Array.from(sourcesOf(frames), (source) =>
    cluster.peerAddress(workloads.peerOf(source)),
  );
  return { name, tables, port: cluster.TUNNEL, traffic: inVxlan(frames, cluster.VNI), senders };
}

function backendOf(service: number): number {
  return FIRST_NODE_ADDRESS + (service - FIRST_SERVICE) * 256 + 2;
}

function withServices(snapshot: Snapshot): Snapshot {
  const route = { table: 0, prefix: '10.96.0.0/16', kind: 'unreachable', services: 'address' } as const;
  const translation = {
    nodePort: cluster.FIRST_POD + cluster.PODS,
    nodeAddresses: [],
    masquerade: ['10.0.0.1'],
  };
  return { ...snapshot, routes: [...snapshot.routes, route], translation };
}

/** A node whose engine knows the services, and room for more flows than any workload but the last has. */
export function nodeWithServices(all: readonly Workload[], newFlows: number): BenchNode {
  const share = { ...shareConnections(CAPACITY, 1, 1), own: 0, clockStart: 0 };
  const node = new BenchNode(all, share);
  // The mix goes on to the next destination port where it has gone through all source ports.
  const ports = Math.ceil(newFlows / EPHEMERAL_PORTS.count);
  const changed = Array.from({ length: SERVICES * ports }, (_, id) =>
    specOf(id, FIRST_SERVICE + (id % SERVICES), SERVICE_PORT + Math.floor(id / SERVICES)),
  );
  node.engine.changeServices({ generation: GENERATION, changed, removed: [] });
  return node;
}

function specOf(id: number, address: number, port: number): ServiceSpec {
  const backend = textOf(backendOf(address));
  return {
    id,
    name: `default/s${id}`,
    family: 'IPv4',
    protocol: 'UDP',
    frontends: [{ address: textOf(address), port, scope: 'cluster' }],
    backends: [{ name: `${backend}:${port}`, address: backend, port, local: false, cluster: 'active' }],
  };
}

function textOf(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/** Before each round every flow is opened, or kept from expiring: all packets once. */
export function settled(each: Case, { traffic }: Workload): Case {
  return {
    ...each,
    prepare: () => {
      each.prepare?.();
      for (let sent = 0; sent < traffic.count; sent += BATCH) each.run();
    },
  };
}
