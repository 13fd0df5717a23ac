/** What passes between nodes: small and large packets, UDP and TCP, with the sender's own address. */
import { type Check, type CheckContext, expect, forBothFamilies, remotePair } from '../check.js';
import type { ProbeProcess } from '../probe-process.js';
import type { Stage } from '../stage.js';
import { measureRoundTrip, ping } from './ping.js';
import { transfer, udpEcho } from './transfer.js';

/** Whole inside the tunnel's MTU, and in fragments. */
const SIZES = [1_400, 3_200];
/** One is taken at each node. */
const ARRIVING_TTL = 62;

export const TUNNEL_CHECKS: readonly Check[] = [
  ...forBothFamilies('ping 1400, 3200 octets', pingSizes),
  {
    name: 'round trip, tunnel',
    run: ({ stage, figures }) => measureRoundTrip(remotePair(stage), stage, figures, 'tunnelRttMicros'),
  },
  { name: 'two routers on the way', run: countRouters },
  ...forBothFamilies('no NAT', noNat),
  ...forBothFamilies('UDP echo, tunnel', (family, { stage }) => udpEcho(family, stage, remotePair(stage))),
  ...forBothFamilies('TCP 64 MiB, tunnel', (family, context) => tcp(family, context, false)),
  ...forBothFamilies('TCP 64 MiB, back', (family, context) => tcp(family, context, true)),
  { name: 'TCP 64 MiB, node to pod', run: tcpFromNode },
];

/** Pods of different nodes. */
function remoteRoutes(stage: Stage, family: 4 | 6) {
  return stage.pods.flatMap((from) =>
    stage.pods
      .filter((to) => to.node !== from.node)
      .map((to) => ({ from: from.probe, to: to.name, target: stage.address(to, family) })),
  );
}

async function pingSizes(family: 4 | 6, { stage }: CheckContext): Promise<string> {
  const routes = remoteRoutes(stage, family);
  for (const route of routes) for (const size of SIZES) await ping(route, 2, size);
  const count = routes.length * SIZES.length * 2;
  return `${count} of ${count} answered`;
}

async function countRouters({ stage }: CheckContext): Promise<string> {
  const [from, to] = remotePair(stage);
  const target = stage.address(to, 4);
  const { ttl } = await ping({ from: from.probe, to: to.name, target }, 3, 56);
  expect(ttl === ARRIVING_TTL, `${from.name} to ${to.name}: the answer's TTL is ${ttl}, not ${ARRIVING_TTL}`);
  return `${from.name} ${stage.address(from, 4)} to ${to.name} ${target}, TTL 64 arrives as ${ttl}`;
}

interface Party {
  readonly name: string;
  readonly probe: ProbeProcess;
  readonly address: string;
}

/** Pods to pods and nodes of elsewhere, and nodes to such pods: whoever is asked sees the asker's own address. */
async function noNat(family: 4 | 6, { stage }: CheckContext): Promise<string> {
  const seen: string[] = [];
  for (const [client, server] of remoteParties(stage, family)) {
    const { port } = await server.probe.call('seenServe', {});
    const answer = await client.probe.call('seenAs', { host: server.address, port });
    const text = `${client.name} ${client.address} to ${server.name}`;
    expect(answer.seen === client.address, `${text}: seen as ${answer.seen}`);
    seen.push(text);
  }
  return `${seen.length} connections, each seen under its own address: ${seen[0]} …`;
}

function remoteParties(stage: Stage, family: 4 | 6): [Party, Party][] {
  const groups = stage.nodes.map((node) => ({
    node: { name: node.name, probe: node.probe, address: node.address(family) },
    pods: node.pods.map((pod) => ({ name: pod.name, probe: pod.probe, address: stage.address(pod, family) })),
  }));
  return groups.flatMap((here) =>
    groups
      .filter((there) => there !== here)
      .flatMap((there) => [
        ...here.pods.flatMap((pod) => [...there.pods, there.node].map((to): [Party, Party] => [pod, to])),
        ...there.pods.map((to): [Party, Party] => [here.node, to]),
      ]),
  );
}

async function tcp(family: 4 | 6, context: CheckContext, back: boolean): Promise<string> {
  const { stage } = context;
  const [near, far] = remotePair(stage);
  const [from, to] = back ? [far, near] : [near, far];
  const label = `IPv${family} ${from.node.name} to ${to.node.name}`;
  return transfer({ from: from.probe, to: to.probe, host: stage.address(from, family), label }, context);
}

async function tcpFromNode(context: CheckContext): Promise<string> {
  const { first } = context.stage;
  const [, to] = remotePair(context.stage);
  const label = `IPv4 from node ${first.name}`;
  return transfer({ from: first.probe, to: to.probe, host: first.address(4), label }, context);
}
