/**
 * Fields of AdminNetworkPolicies that are real, and not to be honoured where they stand. They are looked for before the schema
 * is, so that the answer says what they are instead of `unknown field`.
 */
import { invalid, unsupported } from '../errors.js';

const EGRESS_ONLY = ['networks', 'nodes'];

/** Of network-policy-api 0.1.0; gone since. */
const EARLY_FIELDS = [
  'namespaces.sameLabels',
  'namespaces.notSameLabels',
  'pods.namespaces.sameLabels',
  'pods.namespaces.notSameLabels',
];

/** @param policy of any shape. @throws PodwireError UNSUPPORTED or INVALID, naming the field */
export function refuseForeignFields(policy: unknown): void {
  const spec = fieldOf(policy, 'spec');
  for (const [peer, field] of peersIn(spec, 'ingress', 'from')) {
    const one = EGRESS_ONLY.find((name) => fieldOf(peer, name) !== undefined);
    if (one !== undefined) throw invalid(`${field}.${one}`, 'belongs to peers of egress rules');
    refuseUndone(peer, field);
  }
  for (const [peer, field] of peersIn(spec, 'egress', 'to')) refuseUndone(peer, field);
}

function refuseUndone(peer: unknown, field: string): void {
  if (fieldOf(peer, 'domainNames') !== undefined) {
    throw unsupported(`${field}.domainNames`, 'peers by names of domains are not supported; networks are');
  }
  const early = EARLY_FIELDS.find((path) => path.split('.').reduce(fieldOf, peer) !== undefined);
  if (early === undefined) return;
  throw unsupported(`${field}.${early}`, 'is of an early version of the API and not supported');
}

function* peersIn(
  spec: unknown,
  direction: string,
  peers: string,
): Generator<[peer: unknown, field: string]> {
  for (const [at, rule] of listOf(fieldOf(spec, direction)).entries()) {
    for (const [of, peer] of listOf(fieldOf(rule, peers)).entries()) {
      yield [peer, `spec.${direction}[${at}].${peers}[${of}]`];
    }
  }
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
