/** Echo requests: between all pods, to the gateways, to the node and from it, and large ones in fragments. */
import { formatMicros } from '../../output/units.js';
import { bridgedPair, type Check, type CheckContext, expect, forBothFamilies, routedPair } from '../check.js';
import { type Figures, percentile } from '../figures.js';
import type { PingResult } from '../probe/protocol.js';
import type { ProbeProcess } from '../probe-process.js';
import type { Pod, Stage } from '../stage.js';

const TIMEOUT_MS = 700;
const SMALL = 56;
const LARGE = 6_000;
const RTT_SAMPLES = 300;

/** Who pings whom. */
export interface Route {
  readonly from: ProbeProcess;
  readonly to: string;
  readonly target: string;
}

/** The same on one node and on several. */
export const PING_CHECKS: readonly Check[] = [
  ...forBothFamilies('ping pod to pod', (family, { stage }) => pingAll(podPairs(stage, family))),
  ...forBothFamilies('ping the gateway', (family, { stage }) => pingAll(toGateway(stage, family))),
  ...forBothFamilies('ping pod to node', (family, { stage }) => pingAll(toNode(stage, family))),
  ...forBothFamilies('ping node to pod', (family, { stage }) => pingAll(fromNode(stage, family))),
];

/** Within a node. */
export const LOCAL_PING_CHECKS: readonly Check[] = [
  ...forBothFamilies('ping in fragments', pingInFragments),
  {
    name: 'round trip',
    run: ({ stage, figures }) => measureRoundTrip(bridgedPair(stage), stage, figures, 'rttMicros'),
  },
  { name: 'routed between subnets', run: pingAcrossSubnets },
];

/** Every ordered pair of pods. */
export function podPairs(stage: Stage, family: 4 | 6): Route[] {
  return stage.pods.flatMap((from) =>
    stage.pods
      .filter((to) => to !== from)
      .map((to) => ({ from: from.probe, to: to.name, target: stage.address(to, family) })),
  );
}

function toGateway(stage: Stage, family: 4 | 6): Route[] {
  return stage.pods.map((pod) => ({
    from: pod.probe,
    to: 'the gateway',
    target: stage.gateway(pod, family),
  }));
}

/** Every pod to every node, its own and the others'. */
function toNode(stage: Stage, family: 4 | 6): Route[] {
  return stage.pods.flatMap(({ probe }) =>
    stage.nodes.map((node) => ({ from: probe, to: node.name, target: node.address(family) })),
  );
}

function fromNode(stage: Stage, family: 4 | 6): Route[] {
  return stage.nodes.flatMap((node) =>
    stage.pods.map((pod) => ({ from: node.probe, to: pod.name, target: stage.address(pod, family) })),
  );
}

/** Three echo requests on each route; all have to be answered. */
export async function pingAll(routes: readonly Route[]): Promise<string> {
  const micros: number[] = [];
  for (const route of routes) micros.push(...(await ping(route, 3, SMALL)).micros);
  const p50 = formatMicros(percentile(micros, 0.5));
  return `${micros.length} of ${routes.length * 3} answered, p50 ${p50}`;
}

export async function ping(route: Route, count: number, size: number): Promise<PingResult> {
  const result = await route.from.call('ping', { target: route.target, count, size, timeoutMs: TIMEOUT_MS });
  const answered = result.micros.length;
  expect(
    answered === count,
    `${route.from.name} to ${route.to} (${route.target}): ${answered} of ${result.sent} answered`,
  );
  return result;
}

/** Larger than the MTU: the sender's kernel fragments, the receiver's puts together, and so back. */
async function pingInFragments(family: 4 | 6, { stage }: CheckContext): Promise<string> {
  const routes = podPairs(stage, family);
  for (const route of routes) await ping(route, 2, LARGE);
  return `${routes.length * 2} of ${routes.length * 2} answered, ${LARGE} octets each`;
}

/** @param figure where it is noted. */
export async function measureRoundTrip(
  [from, to]: readonly [Pod, Pod],
  stage: Stage,
  figures: Figures,
  figure: 'rttMicros' | 'tunnelRttMicros',
): Promise<string> {
  const route = { from: from.probe, to: to.name, target: stage.address(to, 4) };
  const { micros } = await ping(route, RTT_SAMPLES, SMALL);
  const rounded = (share: number) => Math.round(percentile(micros, share) * 10) / 10;
  const [p50, p99] = [rounded(0.5), rounded(0.99)];
  figures[figure] = { p50, p99 };
  return `p50 ${formatMicros(p50)}, p99 ${formatMicros(p99)} (${RTT_SAMPLES} echo requests, ${from.name} to ${to.name})`;
}

/** One router lies between: the answer's TTL of 64 has become 63. */
async function pingAcrossSubnets({ stage }: CheckContext): Promise<string> {
  const pair = routedPair(stage);
  if (pair === undefined) return 'all pods are in one subnet (three pods or more use two)';
  const [from, to] = pair;
  const target = stage.address(to, 4);
  const { ttl } = await ping({ from: from.probe, to: to.name, target }, 3, SMALL);
  expect(ttl === 63, `${from.name} to ${to.name}: the answer's TTL is ${ttl}, not 63`);
  return `${from.name} ${stage.address(from, 4)} to ${to.name} ${target}, TTL 64 arrives as 63`;
}
