/**
 * The demo's service: one server in each pod but the first, on all nodes. The first pod is a client, and so is the last,
 * which may get itself for an answer.
 */
import { expect } from './check.js';
import type { Pod } from './node.js';
import type { Call } from './probe/protocol.js';
import type { ProbeProcess } from './probe-process.js';
import type { Stage } from './stage.js';
import { sleep } from './time.js';

export const SERVICE = 'demo';
export const SERVICE_PATH = `/v1/services/default/${SERVICE}`;
export const SERVICE_NAME = `${SERVICE}.default.svc.cluster.local`;
export const SERVICE_PORT = 80;
/** Where the servers listen, in their pods. */
const TARGET_PORT = 8080;
export const SERVER_LABELS = { app: 'demo-server' } as const;

/** So many that each endpoint is chosen: missing one of 15 has a chance of one in a million. */
const CALLS_FOR_ENDPOINT = 16;
const POLL_MS = 20;
const CHANGE_TIMEOUT_MS = 8_000;

/** As `podwire apply` would send it. */
export const SERVICE_MANIFEST = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: SERVICE, namespace: 'default' },
  spec: {
    type: 'NodePort',
    ipFamilyPolicy: 'RequireDualStack',
    selector: SERVER_LABELS,
    ports: [{ port: SERVICE_PORT, targetPort: TARGET_PORT }],
  },
} as const;

export function serversOf({ pods }: Stage): Pod[] {
  return pods.slice(1);
}

/** Of different nodes. */
export function clientsOf({ pods }: Stage): Pod[] {
  return [pods[0]!, pods.at(-1)!];
}

export async function startServers(stage: Stage): Promise<void> {
  for (const { name, probe } of serversOf(stage)) await probe.call('serveNamed', { name, port: TARGET_PORT });
}

/** Enough to meet every endpoint. */
export async function calls(
  from: ProbeProcess,
  stage: Stage,
  host: string,
  port = SERVICE_PORT,
): Promise<Call[]> {
  const count = CALLS_FOR_ENDPOINT * serversOf(stage).length;
  return (await from.call('callMany', { host, port, count })).calls;
}

/** How many calls each server had: `db 11, cache 9`. Throws where one failed, or others than `wanted` answered. */
export function spread(from: ProbeProcess, made: readonly Call[], wanted: readonly Pod[]): string {
  const failed = made.find(({ error }) => error !== undefined);
  expect(failed === undefined, `${from.name}: a call of ${made.length} failed: ${failed?.error}`);
  const counts = new Map(wanted.map(({ name }) => [name, 0]));
  for (const { server = '' } of made) counts.set(server, (counts.get(server) ?? 0) + 1);
  const text = [...counts].map(([name, count]) => `${name} ${count}`).join(', ');
  const fits = counts.size === wanted.length && [...counts.values()].every((count) => count > 0);
  expect(fits, `${from.name}: ${text}, wanted ${wanted.map(({ name }) => name).join(', ')}`);
  return text;
}

/** What a pod says of itself to services, as `podwire apply` would send it. */
export async function sayReady(pod: Pod, ready: boolean): Promise<void> {
  const annotations = ready ? {} : { 'podwire.dev/ready': 'false' };
  await pod.node.switch.api.send('PUT', `/v1/pods/default/${pod.name}`, {
    ...{ apiVersion: 'v1', kind: 'Pod' },
    metadata: { name: pod.name, namespace: 'default', labels: SERVER_LABELS, annotations },
  });
}

/** Calls, round after round, until a round is as wanted; all rounds. */
export async function callUntil(
  round: () => Promise<Call[]>,
  isAsWanted: (made: readonly Call[]) => boolean,
  problem: string,
): Promise<Call[]> {
  const deadline = performance.now() + CHANGE_TIMEOUT_MS;
  const all: Call[] = [];
  for (;;) {
    const made = await round();
    all.push(...made);
    if (isAsWanted(made)) return all;
    expect(performance.now() < deadline, problem);
    await sleep(POLL_MS);
  }
}

/** Until these servers answer, all of them and nobody else. */
export function callUntilOnly(
  from: ProbeProcess,
  stage: Stage,
  host: string,
  wanted: readonly Pod[],
): Promise<Call[]> {
  const names = wanted.map(({ name }) => name).sort();
  return callUntil(
    () => calls(from, stage, host),
    (made) => [...new Set(made.map(({ server = '' }) => server))].sort().join() === names.join(),
    `${from.name} does not get answers from ${names.join(', ')} alone`,
  );
}
