/**
 * A network policy: the last pod may be reached by pods with one label only, over all nodes. It is in force when applied, and a label
 * counts from the next packet on.
 */
import type { DropsAnswer, Pod as PodResource } from '../../../control/api/types.js';
import type { NetworkPolicy } from '../../../control/policies/types.js';
import { formatMicros } from '../../output/units.js';
import { type Check, type CheckContext, expect } from '../check.js';
import type { DemoNode } from '../node.js';
import type { Pod, Stage } from '../stage.js';

type Labels = Readonly<Record<string, string>>;

const NAME = 'demo-clients';
const REASON = 'policy-ingress';
const PATH = `/v1/networkpolicies/default/${NAME}`;
const TARGET_LABEL = { 'demo.podwire.dev/pod': 'target' };
const CLIENT_LABEL = { 'demo.podwire.dev/role': 'client' };

const MANIFEST: NetworkPolicy = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name: NAME, namespace: 'default' },
  spec: {
    podSelector: { matchLabels: TARGET_LABEL },
    ingress: [{ from: [{ podSelector: { matchLabels: CLIENT_LABEL } }] }],
    policyTypes: ['Ingress'],
  },
};

/** A packet that is refused is not answered, so this is how long a check for it takes. */
const REFUSED_MS = 150;
const ANSWERED_MS = 700;
const POLL_MS = 50;
const CHANGE_TIMEOUT_MS = 8_000;

export const POLICY_CHECKS: readonly Check[] = [
  { name: 'policy closes a pod', run: closes },
  { name: 'policy follows a label', run: followsLabel },
];

function endsOf({ pods }: Stage): { client: Pod; target: Pod } {
  const [client, target] = [pods[0], pods.at(-1)];
  expect(client !== undefined && target !== undefined && client !== target, 'fewer than two pods');
  return { client, target };
}

/** Applied at the first node, the target is at the last; its own node still reaches it. */
async function closes({ stage }: CheckContext): Promise<string> {
  const { client, target } = endsOf(stage);
  await addLabels(target, TARGET_LABEL);
  await stage.first.switch.api.send('PUT', PATH, MANIFEST);
  const before = await refusedAt(target.node);
  await untilRefused(client, target, stage);
  for (const family of [4, 6] as const) {
    expect(
      !(await answers(client, target, stage, family, REFUSED_MS)),
      `${client.name} reaches ${target.name}`,
    );
    const node = { name: target.node.name, probe: target.node.probe };
    expect(
      await answers(node, target, stage, family, ANSWERED_MS),
      `${node.name} does not reach its own pod`,
    );
  }
  const refused = (await refusedAt(target.node)) - before;
  expect(refused > 0, `nothing was dropped as ${REASON} on ${target.node.name}`);
  return `${client.name} no longer reaches ${target.name} on ${target.node.name}, whose own node does; ${refused} packets dropped as ${REASON}`;
}

/** The label is written at the client's node, and counts at the target's. */
async function followsLabel({ stage }: CheckContext): Promise<string> {
  const { client, target } = endsOf(stage);
  const start = performance.now();
  await addLabels(client, CLIENT_LABEL);
  await until(
    () => answers(client, target, stage, 4, POLL_MS),
    `${client.name} does not reach ${target.name}`,
  );
  const opened = performance.now() - start;
  expect(await answers(client, target, stage, 6, ANSWERED_MS), `no answer over IPv6 from ${target.name}`);
  await removeLabels(client, CLIENT_LABEL);
  await untilRefused(client, target, stage);
  await stage.first.switch.api.send('DELETE', PATH);
  await until(() => answers(client, target, stage, 4, POLL_MS), `${target.name} stays closed`);
  await removeLabels(target, TARGET_LABEL);
  return `${client.name} reaches ${target.name} ${formatMicros(opened * 1000)} after it was labelled, and no longer without the label`;
}

/** Packets that came to pods of the node and were not let in. */
async function refusedAt({ switch: daemon }: DemoNode): Promise<number> {
  const { drops } = await daemon.api.get<DropsAnswer>('/v1/drops');
  return drops.reduce((sum, { reason, count }) => (reason === REASON ? sum + count : sum), 0);
}

async function addLabels(pod: Pod, labels: Labels): Promise<void> {
  await relabel(pod, (all) => ({ ...all, ...labels }));
}

async function removeLabels(pod: Pod, labels: Labels): Promise<void> {
  await relabel(pod, (all) => Object.fromEntries(Object.entries(all).filter(([key]) => !(key in labels))));
}

/** At the pod's own node, as `podwire apply` would. */
async function relabel({ name, node }: Pod, change: (labels: Labels) => Labels): Promise<void> {
  const path = `/v1/pods/default/${name}`;
  const { api } = node.switch;
  const { apiVersion, kind, metadata } = await api.get<PodResource>(path);
  const { annotations = {}, labels = {} } = metadata;
  const changed = { name, namespace: 'default', annotations, labels: change(labels) };
  await api.send('PUT', path, { apiVersion, kind, metadata: changed });
}

type Prober = Pick<Pod, 'name' | 'probe'>;

async function answers(
  from: Prober,
  to: Pod,
  stage: Stage,
  family: 4 | 6,
  timeoutMs: number,
): Promise<boolean> {
  const target = stage.address(to, family);
  const { micros } = await from.probe.call('ping', { target, count: 1, size: 16, timeoutMs });
  return micros.length === 1;
}

function untilRefused(client: Pod, target: Pod, stage: Stage): Promise<void> {
  const isRefused = async () => !(await answers(client, target, stage, 4, REFUSED_MS));
  return until(isRefused, `${client.name} still reaches ${target.name}`);
}

/** Other nodes hear of a policy and of a label a moment after who has written it. */
async function until(isSo: () => Promise<boolean>, problem: string): Promise<void> {
  const deadline = performance.now() + CHANGE_TIMEOUT_MS;
  while (!(await isSo())) expect(performance.now() < deadline, problem);
}
