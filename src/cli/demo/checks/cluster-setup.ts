/** The first checks of a demo with several nodes: each joins, leases its subnets, and sees the others. */
import type { StatusAnswer } from '../../../control/api/types.js';
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

/** The peers of a node, once all others are among them, up, with a round trip. */
export async function waitForPeers(
  node: DemoNode,
  nodes: readonly DemoNode[],
  deadline: number,
): Promise<StatusAnswer['peers']> {
  for (;;) {
    const { peers } = await node.switch.api.get<StatusAnswer>('/v1/status');
    const missing = nodes.filter((other) => other !== node && !isUp(peers, other));
    if (missing.length === 0) return peers;
    const [{ name }] = missing as [DemoNode];
    const state = peers.find((peer) => peer.name === name)?.state ?? 'not known';
    expect(performance.now() < deadline, `${node.name} does not see ${name}, it is ${state}`);
    await sleep(POLL_MS);
  }
}

function isUp(peers: StatusAnswer['peers'], { name, underlay }: DemoNode): boolean {
  const peer = peers.find((candidate) => candidate.name === name);
  return peer?.state === 'up' && peer.rttMicros !== null && peer.address === underlay;
}
