/**
 * Explains whether one end may send to another: who they are, what services make of the address, by which way, and what
 * policies say at both ends, with the rule. The verdict is the data plane's (judge.ts), the way that of its tables; nothing is
 * sent, and no connection that is known is asked.
 */
import type {
  ExplainAnswer,
  ExplainEnd,
  ExplainPath,
  ExplainProtocol,
  ExplainRequest,
  ExplainWay,
} from '../api/explain-types.js';
import { familyOf } from '../cidr.js';
import { invalid } from '../errors.js';
import type { Protocol } from '../services/types.js';
import { podKeyOf } from '../services/types.js';
import { type End, endsOf, ofFamily } from './explain-ends.js';
import { type Target, type Targets, targetsOf } from './explain-targets.js';
import { PolicyTexts, verdictOf } from './explain-verdict.js';
import { apartNote, wayOf } from './explain-way.js';
import type { ExplainWorld } from './explain-world.js';
import type { Direction, PolicyEnd, PolicyVerdict } from './types.js';

/** IANA's; of icmp by family. */
const NUMBERS = { tcp: 6, udp: 17, sctp: 132 } as const;
const ICMP = { 4: 1, 6: 58 } as const;

/** @throws PodwireError INVALID, NOT_FOUND */
export function explain(request: ExplainRequest, world: ExplainWorld): ExplainAnswer {
  const { namespace = 'default', family } = request;
  const from = endsOf(request.from, 'from', namespace, world);
  if (from.kind === 'service') {
    throw invalid('from', `${from.key} is a service, which sends nothing: ask about one of its pods`);
  }
  const to = endsOf(request.to, 'to', namespace, world);
  const isInside = from.ends[0].kind !== 'outside';
  const targets = targetsOf(to, request, isInside, world);
  const senders = ofFamily(from.ends, family);
  const texts = new PolicyTexts(world);
  const paths = targets.targets.map((target) => pathTo(senders, target, targets, request, texts, world));
  return {
    node: world.node,
    from: request.from,
    to: request.to,
    protocol: targets.protocol,
    port: targets.port ?? null,
    service: targets.service,
    paths,
    ...summary(paths, targets),
  };
}

function pathTo(
  senders: readonly End[],
  target: Target,
  { protocol }: Targets,
  { family }: ExplainRequest,
  texts: PolicyTexts,
  world: ExplainWorld,
): ExplainPath {
  const { from, to, way } = pairOf(senders, ofFamily(target.ends, family), family, world);
  const { port } = target;
  const number = protocol === 'icmp' ? ICMP[familyOf(to.address)] : NUMBERS[protocol];
  const answer = world.judge({
    from: judged(from),
    to: judged(to),
    family: familyOf(to.address),
    protocol: number,
    ...(port !== undefined && { port }),
  });
  const walkOf = (direction: Direction) => ({
    direction,
    other: otherOf(direction === 'egress' ? to : from, world),
    asked: { protocol: asProtocol(protocol), port, destination: to.pod },
    labelsOf: (name: string) => world.namespaceLabels(name),
  });
  const apart = way.kind === 'unreachable' ? apartNote(from, to, world) : undefined;
  const sent: PolicyVerdict = apart ? { allowed: false, reason: 'policy', note: apart } : answer.egress;
  const egress = verdictOf(from, sent, walkOf('egress'), texts, world.node);
  const ingress = verdictOf(to, answer.ingress, walkOf('ingress'), texts, world.node);
  const isAllowed = sent.allowed && answer.ingress.allowed;
  return {
    from: shown(from),
    to: shown(to),
    ...(port !== undefined && { port }),
    way,
    egress,
    ingress,
    verdict: !isAllowed ? 'refused' : way.kind === 'unreachable' ? 'unreachable' : 'allowed',
  };
}

/** The first two of one family between which there is a way; those that share a network come first. */
function pairOf(
  senders: readonly End[],
  receivers: readonly End[],
  family: ExplainRequest['family'],
  world: ExplainWorld,
): { from: End; to: End; way: ExplainWay } {
  const pairs = senders.flatMap((from) => {
    const same = receivers.filter(({ address }) => familyOf(address) === familyOf(from.address));
    return same.map((to) => ({ from, to }));
  });
  const [first] = pairs;
  if (!first) throw invalid('to', `the two do not both have an address of ${family ?? 'one family'}`);
  const isNear = ({ from, to }: { from: End; to: End }) =>
    from.network !== undefined && from.network === to.network;
  let none: { from: End; to: End; way: ExplainWay } | undefined;
  for (const pair of [...pairs.filter(isNear), ...pairs.filter((one) => !isNear(one))]) {
    const found = { ...pair, way: wayOf(pair.from, pair.to, world) };
    if (found.way.kind !== 'unreachable') return found;
    none ??= found;
  }
  return none ?? { ...first, way: wayOf(first.from, first.to, world) };
}

function judged({ pod, address }: End): PolicyEnd {
  return pod ? { pod: podKeyOf(pod), address } : { address };
}

function otherOf({ pod, node, kind, address }: End, world: ExplainWorld) {
  const found = kind === 'node' ? world.nodes.find(({ name }) => name === node) : undefined;
  return { address, ...(pod && { pod }), ...(found && { nodeLabels: found.labels }) };
}

function asProtocol(protocol: ExplainProtocol): Protocol | undefined {
  return protocol === 'icmp' ? undefined : (protocol.toUpperCase() as Protocol);
}

function shown({ kind, address, pod, hostPod, node, network }: End): ExplainEnd {
  const name = pod ? `${pod.namespace}/${pod.name}` : hostPod;
  return {
    kind,
    address,
    ...(name !== undefined && { pod: name }),
    ...(node !== undefined && { node }),
    ...(network !== undefined && { network }),
    ...(pod && { labels: { ...pod.labels } }),
  };
}

function summary(
  paths: readonly ExplainPath[],
  { service }: Targets,
): Pick<ExplainAnswer, 'verdict' | 'text'> {
  const verdicts = new Set(paths.map(({ verdict }) => verdict));
  const [path] = paths;
  if (!path) {
    const name = service?.name ?? '';
    return {
      verdict: 'unreachable',
      text: `unreachable: service ${name} has no endpoint that takes connections`,
    };
  }
  if (verdicts.size === 1) return { verdict: path.verdict, text: wordsOf(path) };
  const allowed = paths.filter(({ verdict }) => verdict === 'allowed').length;
  if (allowed > 0) {
    return { verdict: 'depends', text: `depends on the backend: allowed to ${allowed} of ${paths.length}` };
  }
  const refused = paths.find(({ verdict }) => verdict === 'refused') ?? path;
  return { verdict: refused.verdict, text: wordsOf(refused) };
}

function wordsOf({ verdict, way, egress, ingress }: ExplainPath): string {
  if (verdict === 'allowed') return 'allowed';
  if (verdict === 'unreachable') return `unreachable: ${way.text}`;
  if (egress.note?.tier === 'network') return egress.text;
  const refusing = egress.verdict === 'deny' ? egress : ingress;
  return `refused: ${refusing.direction} of ${refusing.pod ?? 'the pod'}`;
}
