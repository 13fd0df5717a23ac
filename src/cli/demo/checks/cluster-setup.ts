/** The first checks of a demo with several nodes: each joins, leases its subnets, and sees the others. */
import type { RoutesAnswer, StatusAnswer } from '../../../control/api/types.js';
import { ioName } from '../../output/io-name.js';
import { formatMicros } from '../../output/units.js';
import { type Check, type CheckContext, expect } from '../check.js';
import type { DemoNode } from '../node.js';
import { sleep } from '../time.js';
import { NAMESPACES, PODS_ATTACHED } from './setup.js';

const SEEN_TIMEOUT_MS = 10_000;
const POLL_MS = 25;

export const CLUSTER_SETUP_CHECKS: readonly Check[] = [
  NAMESPACES,
  {
    name: 'underlay',
    fatal: true,
    run: ({ stage }) => stage.cluster!.makeUnderlay(stage.nodes.map(({ netns }) => netns)),
  },
  {
    name: 'first node starts',
    fatal: true,
    run: async ({ stage: { first } }) => {
      const { io } = await first.start();
      return `${ioName(io)}, ${nodeText(first)}`;
    },
  },
  { name: 'others join', fatal: true, run: joinOthers },
  { name: 'nodes see each other', fatal: true, run: seeEachOther },
  PODS_ATTACHED,
];

async function joinOthers({ stage, progress }: CheckContext): Promise<string> {
  const others = stage.nodes.slice(1);
  for (const node of others) {
    progress(node.name);
    await node.start();
  }
  const subnets = stage.nodes.flatMap(({ status }) => status.podCIDRs);
  expect(new Set(subnets).size === subnets.length, `two nodes have one subnet: ${subnets.join(', ')}`);
  return others.map(nodeText).join('; ');
}

function nodeText({ name, status }: DemoNode): string {
  return `${name} has ${status.podCIDRs.join(' ')}`;
}

/** Both ways, through the tunnel: a peer is up once its probe was answered. */
async function seeEachOther({ stage }: CheckContext): Promise<string> {
  const deadline = performance.now() + SEEN_TIMEOUT_MS;
  const seen = await Promise.all(stage.nodes.map((node) => waitForPeers(node, stage.nodes, deadline)));
  return stage.nodes
    .map(({ name }, index) => {
      const peers = seen[index]!.map((peer) => `${peer.name} ${formatMicros(peer.rttMicros ?? Number.NaN)}`);
      return `${name}: ${peers.join(', ')}`;
    })
    .join('; ');
}

/** The peers of a node, once all others are among them, up, with a round trip, and routes lead to them. */
export async function waitForPeers(
  node: DemoNode,
  nodes: readonly DemoNode[],
  deadline: number,
): Promise<StatusAnswer['peers']> {
  for (;;) {
    const { peers } = await node.switch.api.get<StatusAnswer>('/v1/status');
    const missing = await missingPeer(node, nodes, peers);
    if (missing === undefined) return peers;
    expect(performance.now() < deadline, missing);
    await sleep(POLL_MS);
  }
}

/** In words, what is not there yet. */
async function missingPeer(
  node: DemoNode,
  nodes: readonly DemoNode[],
  peers: StatusAnswer['peers'],
): Promise<string | undefined> {
  for (const other of nodes.filter((candidate) => candidate !== node)) {
    const state = peers.find(({ name }) => name === other.name)?.state ?? 'not known';
    if (!isUp(peers, other)) return `${node.name} does not see ${other.name}, it is ${state}`;
    if ((await routesTo(node, other)) === 0)
      return `${node.name} has no routes to ${other.name}, which is up`;
  }
  return undefined;
}

/** How many routes of a node lead through the tunnel to another. */
export async function routesTo(node: DemoNode, other: DemoNode): Promise<number> {
  const { routes } = await node.switch.api.get<RoutesAnswer>('/v1/routes');
  return routes.filter(({ kind, dev }) => kind === 'peer' && dev === `node/${other.name}`).length;
}

function isUp(peers: StatusAnswer['peers'], { name, underlay }: DemoNode): boolean {
  const peer = peers.find((candidate) => candidate.name === name);
  return peer?.state === 'up' && peer.rttMicros !== null && peer.address === underlay;
}
