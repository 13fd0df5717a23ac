/**
 * Who is meant by what somebody has written: a pod, a node, or an address with whoever has it. An end may have several
 * addresses, in networks and of families; which of them is meant shows when there is a way between two (explain-pairs.ts).
 */
import { formatIp, parseIp } from '../../wire/address.js';
import type { EndKind } from '../api/explain-types.js';
import { familyOf, holds } from '../cidr.js';
import { invalid, PodwireError } from '../errors.js';
import { podKeyOf } from '../services/types.js';
import type { ExplainWorld, KnownNode } from './explain-world.js';
import type { PolicyPod } from './types.js';

export interface End {
  readonly kind: EndKind;
  readonly address: string;
  readonly pod?: PolicyPod;
  /** NAMESPACE/NAME of a pod that uses the node's interfaces. */
  readonly hostPod?: string;
  readonly node?: string;
  readonly network?: string;
  /** On this node: number of its port. */
  readonly port?: number;
}

/** What was written: a word for its kind, names, a node. */
interface Words {
  readonly kind: 'pod' | 'node' | 'service' | undefined;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly node: string | undefined;
}

export type Named =
  | { readonly kind: 'ends'; readonly ends: readonly End[] }
  | { readonly kind: 'service'; readonly key: string };

const KIND_WORDS = new Map<string, 'pod' | 'node' | 'service'>([
  ['pod', 'pod'],
  ['po', 'pod'],
  ['node', 'node'],
  ['no', 'node'],
  ['service', 'service'],
  ['svc', 'service'],
]);

/**
 * @param field that it was written in.
 * @throws PodwireError INVALID, NOT_FOUND
 */
export function endsOf(text: string, field: string, namespace: string, world: ExplainWorld): Named {
  const address = asAddress(text);
  if (address !== undefined) return { kind: 'ends', ends: [whoHas(address, world)] };
  const words = wordsOf(text, field);
  if (words.kind === 'node') return { kind: 'ends', ends: nodeEnds(words.name, field, world) };
  const key = `${words.namespace ?? namespace}/${words.name}`;
  const pod = words.kind === 'service' ? [] : podEnds(key, words.node, field, world);
  if (pod.length > 0) return { kind: 'ends', ends: pod };
  if (words.kind !== 'pod' && words.node === undefined && world.service(key)) return { kind: 'service', key };
  throw notFound(field, key, words);
}

function notFound(field: string, key: string, { kind, node }: Words): PodwireError {
  const what =
    kind === 'service' ? 'service' : kind === 'pod' || node !== undefined ? 'pod' : 'pod or service';
  const where = node === undefined ? '' : ` on node ${node}`;
  return new PodwireError(
    'NOT_FOUND',
    `${field}: there is no ${what} ${key}${where} that is known here`,
    field,
  );
}

function asAddress(text: string): string | undefined {
  if (!/^[\d.]+$|:/.test(text)) return undefined;
  try {
    return formatIp(parseIp(text));
  } catch {
    return undefined;
  }
}

/** `web`, `shop/web@k2`, `svc/web`, `svc/shop/web`. What is in a namespace called `svc` has `pod/` before it. */
function wordsOf(text: string, field: string): Words {
  const [path, node, ...rest] = text.split('@');
  const parts = path.split('/');
  const kind = parts.length > 1 ? KIND_WORDS.get(parts[0]) : undefined;
  if (kind !== undefined) parts.shift();
  const isWrong = rest.length > 0 || parts.length > 2 || [...parts, node ?? 'x'].some((part) => part === '');
  if (isWrong || (kind === 'node' && (parts.length > 1 || node !== undefined))) {
    throw invalid(
      field,
      `'${text}' is not NAME, NAMESPACE/NAME, either with @NODE, svc/NAME, node/NAME or an address`,
    );
  }
  const name = parts.at(-1) ?? '';
  return { kind, namespace: parts.length > 1 ? parts[0] : undefined, name, node };
}

function podEnds(key: string, node: string | undefined, field: string, world: ExplainWorld): End[] {
  const isIt = (pod: { namespace: string; name: string; node: string }) =>
    `${pod.namespace}/${pod.name}` === key && (node === undefined || pod.node === node);
  const found = [...world.pods].filter(isIt);
  if (found.length > 1) {
    throw invalid(field, `several nodes have a pod ${key}: say ${found.map(podKeyOf).join(' or ')}`);
  }
  const [pod] = found;
  if (pod) {
    const ends = pod.interfaces.flatMap((one) => one.ips.map((address) => podEnd(pod, one, address)));
    if (ends.length > 0) return ends;
    throw new PodwireError('NOT_FOUND', `${field}: pod ${key} has no interface with an address`, field);
  }
  const host = [...world.hostPods].find(isIt);
  return host ? nodeEnds(host.node, field, world).map((end) => ({ ...end, hostPod: key })) : [];
}

function podEnd(pod: PolicyPod, { network, port }: PolicyPod['interfaces'][number], address: string): End {
  const { node } = pod;
  return { kind: 'pod', address, pod, node, network, ...(port !== undefined && { port }) };
}

function nodeEnds(name: string, field: string, world: ExplainWorld): End[] {
  const node = world.nodes.find((one) => one.name === name);
  if (!node) throw new PodwireError('NOT_FOUND', `${field}: there is no node ${name}`, field);
  if (node.addresses.length > 0) return node.addresses.map((address) => nodeEnd(node, address));
  throw new PodwireError('NOT_FOUND', `${field}: node ${name} has no address that is known here`, field);
}

function nodeEnd({ name }: KnownNode, address: string): End {
  return { kind: 'node', address, node: name };
}

/**
 * Who has an address. A pod of another node counts where its network is one of this node's too: what that has for itself
 * alone may have the same addresses.
 */
export function whoHas(address: string, world: ExplainWorld): End {
  const pod = podWith(address, world);
  if (pod) return pod;
  const node = world.nodes.find(({ addresses }) => addresses.includes(address));
  if (node) return nodeEnd(node, address);
  const domain = world.snapshot.domains.find(({ gateways }) => gateways.includes(address));
  if (domain) return { kind: 'gateway', address, node: world.node, network: domain.name.split('#')[0] };
  const owner = world.nodes.find(({ podCidrs }) => podCidrs.some((cidr) => holds(cidr, address)));
  if (owner) return { kind: 'cluster', address, node: owner.name };
  const network = world.networks.find(({ mode, domains }) => mode !== 'raw' && holdsAny(domains, address));
  if (network) return { kind: 'cluster', address, network: network.name };
  return { kind: world.clusterCidrs.some((cidr) => holds(cidr, address)) ? 'cluster' : 'outside', address };
}

function podWith(address: string, { pods, node, networks }: ExplainWorld): End | undefined {
  const shared = new Set(
    networks.filter(({ mode }) => mode === 'routed' || mode === 'overlay').map(({ name }) => name),
  );
  for (const pod of pods) {
    for (const one of pod.interfaces) {
      if (!one.ips.includes(address)) continue;
      if (pod.node === node || shared.has(one.network)) return podEnd(pod, one, address);
    }
  }
  return undefined;
}

function holdsAny(domains: readonly { readonly cidrs: readonly string[] }[], address: string): boolean {
  return domains.some(({ cidrs }) => cidrs.some((cidr) => holds(cidr, address)));
}

/** For whom many addresses are asked about: NAMESPACE/NAME of each one's pod. */
export function podsByAddress(world: ExplainWorld): (address: string) => string | undefined {
  const known = new Map<string, string | undefined>();
  return (address) => {
    if (!known.has(address)) {
      const pod = podWith(address, world)?.pod;
      known.set(address, pod && `${pod.namespace}/${pod.name}`);
    }
    return known.get(address);
  };
}

/** Those of a family, if it was asked for. @throws PodwireError INVALID */
export function ofFamily(ends: readonly End[], family: 'IPv4' | 'IPv6' | undefined): readonly End[] {
  return family === undefined ? ends : ends.filter(({ address }) => `IPv${familyOf(address)}` === family);
}
