/**
 * A service over all nodes: found by address and by name, spread over its endpoints, under the clients' own addresses; one
 * endpoint fails away, then none is left. It stays for the checks of a node that dies.
 */
import type { Service } from '../../../control/services/types.js';
import { formatMicros } from '../../output/units.js';
import { type Check, type CheckContext, expect, forBothFamilies } from '../check.js';
import { hasNftables } from '../namespaces.js';
import { addressOf, type DemoNode, type Pod } from '../node.js';
import type { Call } from '../probe/protocol.js';
import type { ProbeProcess } from '../probe-process.js';
import {
  calls,
  callUntil,
  callUntilOnly,
  clientsOf,
  SERVICE_MANIFEST,
  SERVICE_NAME,
  SERVICE_PATH,
  SERVICE_PORT,
  sayReady,
  serversOf,
  spread,
  startServers,
} from '../services.js';
import type { Stage } from '../stage.js';

/** Less than a second: it is the answer to the first packet, which TCP sends again after that time. */
const REFUSED_MS = 900;
const REFUSAL = 'ECONNREFUSED';
const REFUSED_CALLS = 5;

/** For a node port the kernel of the node is needed, and nftables. */
export function serviceChecks(): Check[] {
  return [
    { name: 'service of all nodes', run: applyService },
    ...forBothFamilies('service by address', byAddress),
    { name: 'service by name', run: byName },
    ...(hasNftables() ? [{ name: 'service by node port', run: byNodePort }] : []),
    { name: 'endpoint not ready', run: endpointGone },
    { name: 'no endpoint left', run: noEndpoint },
  ];
}

async function serviceOf({ first }: Stage): Promise<Service> {
  return first.switch.api.get<Service>(SERVICE_PATH);
}

async function addressOfService(stage: Stage, family: 4 | 6): Promise<string> {
  return addressOf((await serviceOf(stage)).spec.clusterIPs ?? [], family, 'the service');
}

/** Applied at the last node; the first pod is another node's. */
async function applyService({ stage, progress }: CheckContext): Promise<string> {
  await startServers(stage);
  const start = performance.now();
  const { api } = stage.nodes.at(-1)!.switch;
  const { body } = await api.send<Service>('PUT', SERVICE_PATH, SERVICE_MANIFEST);
  const addresses = body.spec.clusterIPs ?? [];
  progress('until every endpoint answers');
  const asked = clientsOf(stage).map(({ probe }) =>
    callUntilOnly(probe, stage, addresses[0]!, serversOf(stage)),
  );
  await Promise.all(asked);
  const servers = serversOf(stage).map(({ name }) => name);
  const time = formatMicros((performance.now() - start) * 1000);
  return `${addresses.join(', ')} for ${servers.join(', ')}; all answer clients on ${nodeNames(stage)} after ${time}`;
}

function nodeNames(stage: Stage): string {
  return clientsOf(stage)
    .map(({ node }) => node.name)
    .join(' and ');
}

/** Servers see their client's own address; one that asked itself by way of the service sees its gateway. */
async function byAddress(family: 4 | 6, { stage }: CheckContext): Promise<string> {
  const host = await addressOfService(stage, family);
  const texts: string[] = [];
  for (const client of clientsOf(stage)) {
    const made = await calls(client.probe, stage, host);
    texts.push(`${client.name} to ${spread(client.probe, made, serversOf(stage))}`);
    for (const call of made) expectSeen(call, client, stage, family);
  }
  return `${texts.join('; ')}; each seen under its own address`;
}

function expectSeen({ server, seen }: Call, client: Pod, stage: Stage, family: 4 | 6): void {
  const own = server === client.name ? stage.gateway(client, family) : stage.address(client, family);
  expect(seen === own, `${server} sees ${client.name} as ${seen}, not as ${own}`);
}

/** Asked at the gateway of each client, and called by what it says. */
async function byName({ stage }: CheckContext): Promise<string> {
  const { clusterIPs = [] } = (await serviceOf(stage)).spec;
  const texts: string[] = [];
  for (const client of clientsOf(stage)) {
    const server = stage.gateway(client, 4);
    const { addresses, millis } = await client.probe.call('lookUp', { server, name: SERVICE_NAME });
    const same = [...addresses].sort().join() === [...clusterIPs].sort().join();
    expect(same, `${server} says ${addresses.join(' ')} for ${SERVICE_NAME}`);
    spread(client.probe, await calls(client.probe, stage, addresses[0]!), serversOf(stage));
    texts.push(`${server} in ${formatMicros(millis * 1000)}`);
  }
  return `${SERVICE_NAME}: ${clusterIPs.join(', ')}, says ${texts.join(' and ')}`;
}

/** At the first node: by itself, by another host, and by a pod that is another node's. */
async function byNodePort({ stage }: CheckContext): Promise<string> {
  const port = (await serviceOf(stage)).spec.ports?.[0]?.nodePort ?? 0;
  const [first, last] = [stage.first, stage.nodes.at(-1)!];
  const texts: string[] = [];
  const ways: [ProbeProcess, string][] = [
    [first.probe, '127.0.0.1'],
    [last.probe, first.underlay!],
    [stage.pods.at(-1)!.probe, first.underlay!],
  ];
  for (const [from, host] of ways) {
    const made = await calls(from, stage, host, port);
    texts.push(`${from.name} by ${host} to ${spread(from, made, serversOf(stage))}`);
  }
  return `port ${port}, ${texts.join('; ')}`;
}

/** A server says that it is not ready, while others call: no call fails, and soon it has none. */
async function endpointGone({ stage }: CheckContext): Promise<string> {
  const host = await addressOfService(stage, 4);
  const gone = serversOf(stage).at(-2)!;
  const left = serversOf(stage).filter((pod) => pod !== gone);
  const start = performance.timeOrigin + performance.now();
  const rounds = clientsOf(stage).map(({ probe }) => callUntilOnly(probe, stage, host, left));
  const [made] = await Promise.all([Promise.all(rounds), sayReady(gone, false)]);
  const all = made.flat();
  const failed = all.filter(({ error }) => error !== undefined);
  expect(failed.length === 0, `${failed.length} of ${all.length} calls failed: ${failed[0]?.error}`);
  const last = Math.max(start, ...all.filter(({ server }) => server === gone.name).map(({ at }) => at));
  const time = formatMicros((last - start) * 1000);
  return `${gone.name} has no more calls after ${time}; ${all.length} calls, none failed`;
}

/** Refused at once, and all come back. */
async function noEndpoint({ stage, progress }: CheckContext): Promise<string> {
  const servers = serversOf(stage);
  await Promise.all(servers.map((pod) => sayReady(pod, false)));
  const texts: string[] = [];
  for (const family of [4, 6] as const) {
    const host = await addressOfService(stage, family);
    for (const client of clientsOf(stage)) texts.push(await refusal(client, host));
  }
  progress('ready again');
  await Promise.all(servers.map((pod) => sayReady(pod, true)));
  const host = await addressOfService(stage, 4);
  await Promise.all(clientsOf(stage).map(({ probe }) => callUntilOnly(probe, stage, host, servers)));
  return `${texts.join(', ')}; ready again, all answer`;
}

/** While a node is dead, those of the others have all calls, and none fails. */
export async function goOnWithout(node: DemoNode, { stage }: CheckContext): Promise<string> {
  const { probe } = stage.pods[0]!;
  const host = await addressOfService(stage, 4);
  const left = serversOf(stage).filter((pod) => pod.node !== node);
  await callUntilOnly(probe, stage, host, left);
  return `${probe.name} to ${spread(probe, await calls(probe, stage, host), left)}; none of ${node.name}`;
}

async function refusal({ name, probe }: Pod, host: string): Promise<string> {
  const round = async () =>
    (await probe.call('callMany', { host, port: SERVICE_PORT, count: REFUSED_CALLS })).calls;
  const areRefused = (made: readonly Call[]) => made.every(({ error }) => error === REFUSAL);
  const problem = `${name} is not refused at ${host}`;
  await callUntil(round, areRefused, problem);
  const millis = Math.min(...(await callUntil(round, areRefused, problem)).map((call) => call.millis));
  expect(millis < REFUSED_MS, `${name} waits ${millis} ms until it is refused at ${host}`);
  return `${name} refused in ${formatMicros(millis * 1000)}`;
}
