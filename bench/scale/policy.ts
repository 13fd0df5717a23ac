/**
 * `scale.policy`: what 10,000 policies over 5,000 pods cost: a packet of a connection that is known, a first packet, one label that
 * changes, from the pod to what a running worker has in force; memory.
 *
 * Three engines as in engine.pipeline: without policies, where nothing is followed; with one policy for each pod that lets everything pass, so
 * that connections are followed; and with all. UDP frames of 60 octets go from one pod to pods of other nodes, and to neighbours, and
 * come out of the tunnel from other pods.
 */

import type { PlannedPolicies, PolicyPlan } from '../../src/control/policies/policy-plan.js';
import { shareConnections } from '../../src/dataplane/connections.js';
import { compileTables, type TablesData } from '../../src/dataplane/tables.js';
import { Dataplane } from '../../src/dataplane/worker/handle.js';
import { warmUp } from '../engine/cases.js';
import * as cluster from '../engine/cluster.js';
import { BenchNode, type Workload } from '../engine/node.js';
import { exchangeEnds, inVxlan, readdress, sourcesOf } from '../engine/rewrite.js';
import { settled } from '../engine/service.js';
import { type Budget, type Case, timeCases } from '../engine/timing.js';
import * as workloads from '../engine/workloads.js';
import type { Figure } from '../figure.js';
import { collect, residentMegabytes } from './memory-use.js';
import { PODS, planOf, podOf, SCALE_POLICY, teamOf, trivialPlan } from './policy-world.js';
import { figure } from './values.js';

const POLICIES = 10_000;
const NONE = 'no policy';
const ONE = 'one policy a pod';
const CAPACITY = 262_144;
const SIZES = { '1 k flows': 1000, '64 k flows': 65_536 } as const;
const NEW_FLOWS = 500_000;
const FIRST = 'a first packet';
const GENERATION = 1_000_000;
/** Label changes for each round asked for. */
const CHANGES = 50;
const FIRST_DESTINATION = 0x0a60_0100;
const NODES = 1000;
const FIRST_NODE_ADDRESS = 0x0a80_0000;

export async function measurePolicy(budget: Budget, say: (text: string) => void): Promise<Figure[]> {
  say(`planning ${POLICIES} policies`);
  collect();
  const empty = residentMegabytes();
  const began = performance.now();
  const plan = planOf(POLICIES);
  const whole = plan.changes();
  const planned = performance.now() - began;
  collect();
  const planMemory = residentMegabytes() - empty;
  const changes = await measureChanges(plan, whole, budget.rounds, say);
  return [
    ...packetFigures(whole, budget, say),
    ...changes,
    plain('all policies planned', 'ms', [planned]),
    plain('memory of manifests and plan', 'MB', [planMemory]),
  ];
}

function packetFigures(whole: PlannedPolicies, budget: Budget, say: (text: string) => void): Figure[] {
  say('making mixes and tables');
  const worlds = [
    { name: NONE, changes: undefined },
    { name: ONE, changes: trivialPlan().changes() },
    { name: `${POLICIES} policies`, changes: whole },
  ];
  const snapshot = workloads.nodeSnapshot();
  const ports = snapshot.ports.map((port) =>
    port.id < cluster.FIRST_POD + 100 ? { ...port, policed: true } : port,
  );
  const tables = compileTables({ ...snapshot, ports });
  const open = compileTables(snapshot);
  const nodes = worlds.map(({ name, changes }) => {
    const known = establishedWorkloads(name, changes ? tables : open);
    return [nodeOf(known, changes), nodeOf([opening(name, changes ? tables : open)], changes)];
  });
  const cases = nodes
    .flat()
    .flatMap((node) => node.cases().map((each, index) => atHand(each, node.workloads[index])));
  say('warming up');
  for (const each of cases) warmUp(each, budget.seconds);
  const { cases: times } = timeCases(cases, budget, say);
  for (const node of nodes.flat()) node.check();
  const ns = (metric: string, world: string): readonly number[] => times.get(`${metric}, ${world}`)!;
  const many = worlds[2].name;
  return [...METRICS, FIRST].flatMap((metric) =>
    [NONE, ONE].map((baseline) =>
      figure(SCALE_POLICY, { metric, unit: 'ns', better: 'lower' }, ns(metric, many), {
        name: baseline,
        values: ns(metric, baseline),
      }),
    ),
  );
}

/** Every flow is decided about, and what was decided is where the next packet finds it. */
function atHand(each: Case, workload: Workload): Case {
  return settled(settled(each, workload), workload);
}

const WAYS = ['to pods of other nodes', 'to neighbours', 'from pods of other nodes'] as const;
const METRICS = Object.keys(SIZES).flatMap((size) => WAYS.map((way) => `${way}, ${size}`));

function establishedWorkloads(world: string, tables: TablesData): Workload[] {
  return Object.entries(SIZES).flatMap(([size, flows]) => [
    { ...toPods(tables, flows), name: `${WAYS[0]}, ${size}, ${world}` },
    { ...workloads.toNeighbours('', tables, flows), name: `${WAYS[1]}, ${size}, ${world}` },
    { ...fromPods(tables, flows), name: `${WAYS[2]}, ${size}, ${world}` },
  ]);
}

function opening(world: string, tables: TablesData): Workload {
  return { ...toPods(tables, NEW_FLOWS), name: `${FIRST}, ${world}` };
}

/** Each destination is a pod: the first, or the `host`th, of a node. */
function mixToPods(flows: number, host: number) {
  const mix = workloads.mix(flows, { dst: '10.96.1.0', destinations: NODES });
  return readdress(
    mix,
    undefined,
    (address) => FIRST_NODE_ADDRESS + (address - FIRST_DESTINATION) * 256 + 2 + host,
  );
}

function toPods(tables: TablesData, flows: number): Omit<Workload, 'name'> {
  return { tables, port: cluster.FIRST_POD, traffic: mixToPods(flows, 0) };
}

/** Of other pods than those that are sent to: these packets are no answers. */
function fromPods(tables: TablesData, flows: number): Omit<Workload, 'name'> {
  const frames = exchangeEnds(mixToPods(flows, 1), cluster.VTEP_MAC);
  const senders = Int32Array.from(sourcesOf(frames), (source) =>
    cluster.peerAddress(workloads.peerOf(source)),
  );
  return { tables, port: cluster.TUNNEL, traffic: inVxlan(frames, cluster.VNI), senders };
}

function nodeOf(all: readonly Workload[], changes: PlannedPolicies | undefined): BenchNode {
  const node = new BenchNode(all, { ...shareConnections(CAPACITY, 1, 1), own: 0, clockStart: 0 });
  if (changes) node.engine.changePolicies({ generation: GENERATION, ...changes });
  return node;
}

async function measureChanges(
  plan: PolicyPlan,
  whole: PlannedPolicies,
  rounds: number,
  say: (text: string) => void,
): Promise<Figure[]> {
  const dataplane = await Dataplane.start({ io: 'poll', slots: 64 });
  try {
    collect();
    const before = residentMegabytes();
    const began = performance.now();
    await dataplane.changePolicies({ generation: 1, ...whole });
    const load = performance.now() - began;
    collect();
    const memory = residentMegabytes() - before;
    let generation = 1;
    const timeAll = async (what: string, change: (i: number) => void) => {
      const compiled: number[] = [];
      const inForce: number[] = [];
      for (let i = 0; i < rounds * CHANGES; i++) {
        say(`${what}, ${i + 1} of ${rounds * CHANGES}`);
        const from = performance.now();
        change(i);
        const changes = plan.changes();
        compiled.push(performance.now() - from);
        await dataplane.changePolicies({ generation: ++generation, ...changes });
        inForce.push(performance.now() - from);
      }
      return { compiled, inForce };
    };
    const pod = await timeAll('a label of a pod', (i) => plan.setPod(podOf((i * 7919) % PODS, i + 1)));
    const app = await timeAll('an app of a pod', (i) => {
      const one = podOf((i * 7907) % 100);
      plan.setPod({ ...one, labels: { app: `a${i % 20}` } });
    });
    const namespace = await timeAll('a label of a namespace', (i) =>
      plan.setNamespace({ name: `ns-${i % 50}`, labels: teamOf(i + 1, i + 1) }),
    );
    const all = { 'a label of a pod': pod, 'the app of a local pod': app, 'a namespace’s team': namespace };
    return [
      ...Object.entries(all).flatMap(([what, { compiled, inForce }]) => [
        plain(`${what} changed, compiled`, 'ms', compiled),
        plain(`${what} changed, compiled, slowest`, 'ms', [Math.max(...compiled)]),
        plain(`${what} changed, in force`, 'ms', inForce),
      ]),
      plain('all policies in force', 'ms', [load]),
      plain('memory of one worker’s policies', 'MB', [memory]),
    ];
  } finally {
    await dataplane.stop();
  }
}

function plain(metric: string, unit: string, values: readonly number[]): Figure {
  return figure(SCALE_POLICY, { metric, unit, better: 'lower' }, values);
}
