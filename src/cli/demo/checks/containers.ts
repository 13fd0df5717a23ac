/**
 * What containers have besides the packets: a second network while they run, a limit that is kept, a way made worse on
 * purpose, and an interface that a runtime asks for. Between pods of the first node; each check leaves all as it was.
 */
import type { AttachAnswer, NamesAnswer } from '../../../control/api/types.js';
import { namespacePath } from '../../../linux/netns.js';
import { formatBitRate, formatMicros } from '../../output/units.js';
import { bridgedPair, type Check, type CheckContext, expect } from '../check.js';
import { callPlugin } from '../cni-call.js';
import { addressOf, type Pod } from '../node.js';
import { ping } from './ping.js';

export const CONTAINER_CHECKS: readonly Check[] = [
  { name: 'second network', run: secondNetwork },
  { name: 'limit of 40 Mbit/s', run: limitKept },
  { name: 'delay of 25 ms', run: delayed },
  { name: 'container by CNI', run: containerByCni },
];

const SECOND = { name: 'demo-backend', cidrs: ['10.82.0.0/24', 'fd00:10:82::/64'] } as const;
const RATE = 40_000_000;
const LIMITED_OCTETS = 4 << 20;
const DELAY_MS = 25;
const SMALL = 56;
/** Of echo requests; a busy machine may be late with one. */
const TRIES = 10;

/** Two pods get one more interface each, and lose it again. */
async function secondNetwork({ stage, progress }: CheckContext): Promise<string> {
  const { api } = stage.first.switch;
  const pair = bridgedPair(stage);
  await api.send('PUT', `/v1/networks/${SECOND.name}`, {
    ...{ apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name: SECOND.name } },
    spec: { mode: 'bridge', cidrs: SECOND.cidrs, internal: true },
  });
  const joined: AttachAnswer[] = [];
  for (const { name, netns } of pair) {
    const body = { netns: namespacePath(netns), network: SECOND.name };
    joined.push((await api.send<AttachAnswer>('POST', `/v1/pods/default/${name}/attach`, body)).body);
  }
  progress('ping through it');
  for (const family of [4, 6] as const) {
    const target = addressOf(joined[1]!.ips, family, pair[1].name);
    await ping({ from: pair[0].probe, to: pair[1].name, target }, 3, SMALL);
  }
  const { names } = await api.get<NamesAnswer>(`/v1/names?network=${SECOND.name}`);
  const known = names.find(({ name }) => name === pair[1].name);
  expect(known?.ips.join() === joined[1]!.ips.join(), `${pair[1].name} has no such name in the network`);
  for (const { name } of pair) {
    await api.send('POST', `/v1/pods/default/${name}/detach`, { network: SECOND.name });
  }
  await api.send('DELETE', `/v1/networks/${SECOND.name}`);
  await ping({ from: pair[0].probe, to: pair[1].name, target: stage.address(pair[1], 4) }, 3, SMALL);
  const [one, other] = joined.map(({ ifname, ips }) => `${ifname} ${ips[0]}`);
  return `${pair[0].name} ${one}, ${pair[1].name} ${other}, both families; left while they run`;
}

/** A limit on what the sender sends, which TCP then fills and does not exceed. */
async function limitKept({ stage, progress }: CheckContext): Promise<string> {
  const [from, to] = bridgedPair(stage);
  await setLimits(from, { egress: { rate: RATE } });
  progress(`${from.name} may send ${formatBitRate(RATE)}`);
  const offer = await from.probe.call('tcpSend', { octets: LIMITED_OCTETS });
  const request = { host: stage.address(from, 4), port: offer.port, octets: LIMITED_OCTETS };
  const { octets, sha256, millis } = await to.probe.call('tcpReceive', request);
  await setLimits(from, {});
  expect(octets === LIMITED_OCTETS && sha256 === offer.sha256, 'what arrived is not what was sent');
  const rate = (octets * 8000) / millis;
  expect(rate <= RATE, `${from.name} sent ${formatBitRate(rate)}`);
  return `${from.name} to ${to.name}: ${formatBitRate(rate)} of TCP's payload, SHA-256 equal`;
}

async function setLimits({ name, node }: Pod, limits: object): Promise<void> {
  await node.switch.api.send('PUT', `/v1/pods/default/${name}/limits`, limits);
}

/** Each way, so a round trip is never shorter than twice the delay; and short again without it. */
async function delayed({ stage }: CheckContext): Promise<string> {
  const { api } = stage.first.switch;
  const [from, to] = bridgedPair(stage);
  const path = '/v1/impairments/demo';
  await api.send('PUT', path, {
    ...{ apiVersion: 'podwire.dev/v1', kind: 'Impairment', metadata: { name: 'demo' } },
    spec: {
      from: { pod: `default/${from.name}` },
      to: { pod: `default/${to.name}` },
      delay: `${DELAY_MS}ms`,
    },
  });
  const route = { from: from.probe, to: to.name, target: stage.address(to, 4) };
  const least = async (count: number) => Math.min(...(await ping(route, count, SMALL)).micros);
  const slow = await least(3);
  await api.send('DELETE', path);
  const quick = await least(TRIES);
  const both = 2 * DELAY_MS * 1000;
  expect(slow >= both, `${from.name} to ${to.name} takes ${formatMicros(slow)}, less than ${both / 1000} ms`);
  expect(quick < both, `${from.name} to ${to.name} still takes ${formatMicros(quick)}`);
  return `${from.name} to ${to.name} and back ${formatMicros(slow)}, then ${formatMicros(quick)} again`;
}

/** The plugin is started as podman and containerd do it. */
async function containerByCni({ stage, progress }: CheckContext): Promise<string> {
  const [pod] = bridgedPair(stage);
  const { socket } = stage.first.switch;
  const call = (command: string, more: object = {}) =>
    callPlugin({
      command,
      containerId: stage.containerName,
      netns: namespacePath(stage.container),
      config: { cniVersion: '1.1.0', name: 'demo', socket, network: pod.attached!.network, ...more },
    });
  const start = performance.now();
  const added = await call('ADD');
  const millis = performance.now() - start;
  const addresses = added?.ips.map(({ address }) => address.split('/')[0]!) ?? [];
  progress('ping it');
  for (const family of [4, 6] as const) {
    const target = addressOf(addresses, family, stage.containerName);
    await ping({ from: pod.probe, to: stage.containerName, target }, 3, SMALL);
  }
  await call('CHECK', { prevResult: added });
  await call('DEL');
  const { pods } = await stage.first.switch.api.get<{ pods: number }>('/v1/status');
  expect(pods === stage.first.pods.length, 'the container still has its addresses after DEL');
  return `ADD ${addresses[0]} in ${formatMicros(millis * 1000)}, answers ${pod.name}, CHECK, DEL`;
}
