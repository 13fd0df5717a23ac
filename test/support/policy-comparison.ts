/**
 * A case of policies, told step by step to the plans and tables of its two nodes, and asked for everything: what they answer, and by
 * which rule, is held against the oracle. What differs is told as manifests that a person can read.
 */
import { stringify } from 'yaml';
import type { PolicyNote } from '../../src/control/policies/types.js';
import { CaseCluster, OVERLAY, type PolicyCase, type PolicyStep } from './policy-cases.js';
import type { OracleCluster, OracleQuestion } from './policy-manifests.js';
import { judge, type OracleReason, type OracleVerdict } from './policy-oracle.js';
import { askTable, PlannedNode, type PolicyReader, protocolNumber } from './policy-planned.js';

type Way = 'egress' | 'ingress';

/** Of each node, what is asked. */
type Readers = ReadonlyMap<string, { readonly node: PlannedNode; readonly reader: PolicyReader }>;

/** @throws what is wrong. */
export function expectAgreement(one: PolicyCase): void {
  const nodes = ['n1', 'n2'].map((name) => new PlannedNode(name));
  const cluster = new CaseCluster();
  const compare = (when: string, readerOf: (node: PlannedNode) => PolicyReader): void => {
    const readers: Readers = new Map(nodes.map((node) => [node.name, { node, reader: readerOf(node) }]));
    compareAll(one, cluster, readers, when);
  };
  const take = (steps: readonly PolicyStep[]): void => {
    for (const step of steps) {
      if (step.kind !== 'tell') cluster.set(step);
      for (const node of nodes) node.step(step);
    }
    for (const node of nodes) node.step({ kind: 'tell' });
  };
  take(one.first);
  if (one.later.length > 0) {
    compare('when the cluster was built', ({ told }) => told);
    take(one.later);
  }
  compare('in the end, told step by step', ({ told }) => told);
  compare('in the end, told as a whole', (node) => node.restarted());
  for (const { plan } of nodes) judgeSome(one, cluster, plan);
}

/** One of so many: each is worth hundreds of those that the table is asked. */
const JUDGED = 17;

/** What `podwire explain` goes by: of pods of whatever node, and with what is decided before any policy is asked. */
function judgeSome(one: PolicyCase, cluster: CaseCluster, plan: PlannedNode['plan']): void {
  const { oracle } = cluster;
  const overlaid = cluster.ends(OVERLAY);
  for (const [index, question] of [...cluster.questions(one)].entries()) {
    // It is told no network: an address that is only in an overlay is taken for the pod that has it there.
    if (index % JUDGED !== 0 || overlaid.has(question.from) || overlaid.has(question.to)) continue;
    if (question.overlay !== undefined) continue;
    const ends = { from: { address: question.from }, to: { address: question.to } };
    const answer = plan.judge({ ...ends, protocol: protocolNumber(question), port: question.port });
    const expected = judge(oracle, question);
    for (const way of ['egress', 'ingress'] as const) {
      const [verdict, said] = [expected[way], answer[way]];
      if (verdict.isOpen || agrees(verdict, { allowed: said.allowed, note: said.note }, way)) continue;
      throw new Error(
        report({ when: 'judged', way, question, verdict, said: { ...said, note: said.note }, oracle }),
      );
    }
  }
}

function compareAll(one: PolicyCase, cluster: CaseCluster, readers: Readers, when: string): void {
  const { oracle } = cluster;
  const [routed, overlaid] = [cluster.ends(undefined), cluster.ends(OVERLAY)];
  for (const question of cluster.questions(one)) {
    const ends = question.overlay === undefined ? routed : overlaid;
    const from = { address: question.from, end: ends.get(question.from) };
    const to = { address: question.to, end: ends.get(question.to) };
    const expected = judge(oracle, question);
    for (const way of ['egress', 'ingress'] as const) {
      const [subject, peer] = way === 'egress' ? [from, to] : [to, from];
      const asked = readers.get(subject.end?.pod.node ?? '');
      const verdict = expected[way];
      if (subject.end === undefined || asked === undefined || verdict.isBefore || verdict.isOpen) continue;
      const { allowed, note } = askTable(asked.reader, way, subject.end, peer, question);
      const said = { allowed, note: asked.node.plan.noteOf(note) };
      if (!agrees(verdict, said, way))
        throw new Error(report({ when, way, question, verdict, said, oracle }));
    }
  }
}

interface Said {
  readonly allowed: boolean;
  readonly note: PolicyNote | undefined;
}

/** The same verdict, and by a rule that may have decided. Where no rule had to, none is named; or one that has let pass. */
function agrees(verdict: OracleVerdict, { allowed, note }: Said, way: Way): boolean {
  if (allowed !== verdict.allowed) return false;
  const { reasons } = verdict;
  if (reasons.length === 0) return note === undefined || note.action === 'pass' || note.tier === 'unknown';
  if (note === undefined || note.direction !== way || note.action !== (allowed ? 'allow' : 'deny'))
    return false;
  if (note.tier !== reasons[0].tier) return note.tier === 'unknown' && !allowed;
  return reasons[0].path === undefined ? namesAll(reasons, note) : namesOne(reasons, note);
}

const nameOf = ({ kind, namespace, name }: { kind: string; namespace?: string; name: string }): string =>
  [kind, namespace, name].filter((part) => part !== undefined).join('/');

/** None of these allows it: all of them are named, in order. */
function namesAll(reasons: readonly OracleReason[], note: PolicyNote): boolean {
  const expected = reasons.map(nameOf).sort();
  return note.path === undefined && expected.join() === note.policies.map(nameOf).join();
}

function namesOne(reasons: readonly OracleReason[], { policies, path }: PolicyNote): boolean {
  return (
    policies.length === 1 && reasons.some((one) => one.path === path && nameOf(one) === nameOf(policies[0]))
  );
}

interface Report {
  readonly when: string;
  readonly way: Way;
  readonly question: OracleQuestion;
  readonly verdict: OracleVerdict;
  readonly said: Said;
  readonly oracle: OracleCluster;
}

function report({ when, way, question, verdict, said, oracle }: Report): string {
  const { from, to, protocol, port, overlay } = question;
  const where = overlay === undefined ? '' : ` in ${overlay}`;
  const word = (allowed: boolean): string => (allowed ? 'allowed' : 'refused');
  return [
    `${way} of ${from} to ${to}${where}, ${protocol} ${port ?? ''}, ${when}:`,
    `  the API: ${word(verdict.allowed)}, ${verdict.why}`,
    `  podwire: ${word(said.allowed)}, ${said.note === undefined ? 'no rule' : JSON.stringify(said.note)}`,
    manifestsOf(oracle),
  ].join('\n');
}

/** What to apply, and the pods and nodes to apply it to. */
export function manifestsOf({ namespaces, pods, nodes, cidrs, policies }: OracleCluster): string {
  const documents = [
    { nodes: nodes.map(({ name, labels, addresses }) => ({ name, labels, addresses })), clusterCidrs: cidrs },
    ...Object.entries(namespaces).map(([name, labels]) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    })),
    ...pods.map(({ namespace, name, labels, node, ports, interfaces }) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels },
      spec: {
        nodeName: node,
        containers: [{ ports: ports.map(({ port, ...rest }) => ({ ...rest, containerPort: port })) }],
      },
      status: Object.fromEntries(interfaces.map(({ network, ips }) => [network, ips.join(' ')])),
    })),
    ...policies,
  ];
  return documents.map((document) => stringify(document, { aliasDuplicateObjects: false })).join('---\n');
}

/** What has happened, in order: the last lines of a report. */
export function stepsOf({ first, later }: PolicyCase): string {
  const line = (step: PolicyStep): string =>
    step.kind === 'tell' ? '(told)' : `${step.kind} ${step.slot} = ${JSON.stringify(step.value)}`;
  return ['built by:', ...first.map(line), 'then:', ...later.map(line)].join('\n  ');
}
