/** kill -9 of the daemon: the pods keep what they have, and a new daemon forwards for them again. */
import type { StatusAnswer } from '../../../control/api/types.js';
import { formatMicros } from '../../output/units.js';
import { bridgedPair, type Check, type CheckContext, expect } from '../check.js';
import type { DemoNode } from '../node.js';
import type { InterfaceResult } from '../probe/protocol.js';
import type { Stage } from '../stage.js';
import { pingAll, podPairs } from './ping.js';

export const EXCHANGE_TIMEOUT_MS = 8_000;

export const RESTART_CHECKS: readonly Check[] = [{ name: 'kill -9 and restart', run: killAndRestart }];

/** A TCP connection opened before has to go on after. */
async function killAndRestart({ stage, figures, progress }: CheckContext): Promise<string> {
  const [client, server] = bridgedPair(stage);
  const { port } = await server.probe.call('tcpEcho', {});
  await client.probe.call('connect', { host: stage.address(server, 4), port });
  await client.probe.call('exchange', { timeoutMs: EXCHANGE_TIMEOUT_MS });
  const before = await interfaces(stage);
  progress('kill -9');
  await stage.first.switch.kill();
  const start = performance.now();
  progress('restart');
  await stage.first.start();
  await pingAll([...podPairs(stage, 4), ...podPairs(stage, 6)]);
  figures.recoveryMillis = Math.round(performance.now() - start);
  await expectSamePods(stage.first, stage, before);
  progress('the TCP connection from before');
  await client.probe.call('exchange', { timeoutMs: EXCHANGE_TIMEOUT_MS });
  const time = formatMicros(figures.recoveryMillis * 1000);
  return `forwarding again after ${time}: same interfaces and addresses, TCP connection alive`;
}

/** Of every pod. */
export function interfaces(stage: Stage): Promise<(InterfaceResult | null)[]> {
  return Promise.all(
    stage.pods.map(({ probe, attached }) => probe.call('interface', { ifname: attached!.ifname })),
  );
}

/** After a restart of the node's daemon: its pods are attached, and no pod's interface has changed. */
export async function expectSamePods(
  { name, pods, switch: daemon }: DemoNode,
  stage: Stage,
  before: readonly (InterfaceResult | null)[],
): Promise<void> {
  const after = await interfaces(stage);
  for (const [index, pod] of stage.pods.entries()) {
    const [then, now] = [JSON.stringify(before[index]), JSON.stringify(after[index])];
    expect(now === then, `${pod.name}'s interface was ${then}, is ${now}`);
  }
  const status = await daemon.api.get<StatusAnswer>('/v1/status');
  expect(
    status.pods === pods.length,
    `${status.pods} pods are attached to ${name} after the restart, not ${pods.length}`,
  );
}
