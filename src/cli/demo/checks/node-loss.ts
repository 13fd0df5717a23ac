/** A node dies and comes back: the others drop the routes to it and say so to who asks for it; then all is as before. */
import type { StatusAnswer } from '../../../control/api/types.js';
import { formatMicros } from '../../output/units.js';
import { bridgedPair, type Check, type CheckContext, expect, remotePair } from '../check.js';
import type { DemoNode } from '../node.js';
import type { InterfaceResult } from '../probe/protocol.js';
import type { Stage } from '../stage.js';
import { sleep } from '../time.js';
import { routesTo, waitForPeers } from './cluster-setup.js';
import { ping, pingAll, podPairs } from './ping.js';
import { EXCHANGE_TIMEOUT_MS, expectSamePods, interfaces } from './restart.js';
import { goOnWithout } from './services.js';

const GONE_TIMEOUT_MS = 10_000;
const BACK_TIMEOUT_MS = 10_000;
const POLL_MS = 20;
const HOP_TIMEOUT_MS = 700;

/** The second goes on where the first ended. */
export function nodeLossChecks(): Check[] {
  let before: (InterfaceResult | null)[] = [];
  return [
    {
      name: 'node killed',
      fatal: true,
      run: async (context) => {
        before = await interfaces(context.stage);
        return killNode(context);
      },
    },
    {
      name: 'service without the node',
      run: (context) => goOnWithout(victimOf(context.stage), context),
    },
    { name: 'node back', run: (context) => bringBack(context, before) },
  ];
}

/** The last to have joined. */
function victimOf({ nodes }: Stage): DemoNode {
  return nodes.at(-1)!;
}

/** A TCP connection through the tunnel, opened before, has to go on after. */
async function killNode({ stage, figures, progress }: CheckContext): Promise<string> {
  const victim = victimOf(stage);
  const [client, server] = remotePair(stage);
  const { port } = await server.probe.call('tcpEcho', {});
  await client.probe.call('connect', { host: stage.address(server, 4), port });
  await client.probe.call('exchange', { timeoutMs: EXCHANGE_TIMEOUT_MS });
  const routes = await routesTo(stage.first, victim);
  expect(routes > 0, `${stage.first.name} has no routes to ${victim.name}`);
  progress(`kill -9 of ${victim.name}`);
  await victim.switch.kill();
  figures.detectionMillis = await untilRoutesGone(stage.first, victim);
  const { peers } = await stage.first.switch.api.get<StatusAnswer>('/v1/status');
  const state = peers.find(({ name }) => name === victim.name)?.state;
  expect(state !== 'up', `${victim.name} is still up for ${stage.first.name}`);
  const request = { target: stage.address(server, 4), ttl: 64, timeoutMs: HOP_TIMEOUT_MS };
  const { answer } = await client.probe.call('hop', request);
  expect(
    answer === 'unreachable',
    `${client.name} to ${server.name}: ${answer ?? 'no answer'}, not unreachable`,
  );
  const [one, other] = bridgedPair(stage);
  await ping({ from: one.probe, to: other.name, target: stage.address(other, 4) }, 3, 56);
  const time = formatMicros(figures.detectionMillis * 1000);
  return `${routes} routes to ${victim.name} gone after ${time}, ${client.name} is told unreachable, ${stage.first.name} goes on`;
}

async function untilRoutesGone(node: DemoNode, other: DemoNode): Promise<number> {
  const start = performance.now();
  while ((await routesTo(node, other)) > 0) {
    const millis = performance.now() - start;
    expect(
      millis < GONE_TIMEOUT_MS,
      `after ${GONE_TIMEOUT_MS / 1000} s ${node.name} still has routes to ${other.name}`,
    );
    await sleep(POLL_MS);
  }
  return Math.round(performance.now() - start);
}

async function bringBack(
  { stage, figures, progress }: CheckContext,
  before: readonly (InterfaceResult | null)[],
): Promise<string> {
  const victim = victimOf(stage);
  const { podCIDRs } = victim.status;
  const start = performance.now();
  await victim.start();
  const [one, other] = victim.pods;
  if (one && other) await ping({ from: one.probe, to: other.name, target: stage.address(other, 4) }, 3, 56);
  progress('peers');
  const deadline = performance.now() + BACK_TIMEOUT_MS;
  await Promise.all(stage.nodes.map((node) => waitForPeers(node, stage.nodes, deadline)));
  await pingAll([...podPairs(stage, 4), ...podPairs(stage, 6)]);
  figures.recoveryMillis = Math.round(performance.now() - start);
  await expectSamePods(victim, stage, before);
  const now = victim.status.podCIDRs.join(' ');
  expect(now === podCIDRs.join(' '), `${victim.name} had ${podCIDRs.join(' ')}, has ${now}`);
  progress('the TCP connection from before');
  const [client] = remotePair(stage);
  await client.probe.call('exchange', { timeoutMs: EXCHANGE_TIMEOUT_MS });
  const time = formatMicros(figures.recoveryMillis * 1000);
  return `every pod reaches every other after ${time}: same subnets and interfaces, TCP connection alive`;
}
