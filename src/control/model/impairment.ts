/**
 * `podwire.dev/v1 Impairment`: schema, checks that a schema cannot express, and its normal form: pods with their
 * namespace, prefixes canonical, times in milliseconds, the rate a number.
 */
import { AddressError, formatCidr, networkOf, parseCidr } from '../../wire/address.js';
import type { Impairment, ImpairmentEnd, ImpairmentSpec } from '../api/types.js';
import type { PlannedEnd, PlannedImpairment } from '../compile-impairments.js';
import { invalid } from '../errors.js';
import { DEFAULT_NAMESPACE, namespaceName, resourceName } from './kinds.js';
import { defaultBurst, RATE_BOUNDS } from './limits.js';
import { CLUSTER_META } from './meta.js';
import { QUANTITY_SCHEMA, readQuantity, readShare, readTime } from './quantities.js';
import { checker, closed, type Schema } from './schema.js';

/** What the data plane holds a packet back for at most. */
const MOST_DELAY_MS = 60_000;

const END: Schema = closed({
  pod: { type: 'string', description: 'NAMESPACE/NAME' },
  cidr: { type: 'string', description: 'a prefix or an address' },
});

export const IMPAIRMENT_SPEC_SCHEMA: Schema = closed(
  {
    from: END,
    to: END,
    bidirectional: { type: 'boolean' },
    delay: { type: 'string', description: 'a time such as 50ms' },
    jitter: { type: 'string', description: 'a time such as 5ms' },
    loss: { type: 'string', description: 'a share of the packets such as 1%' },
    rate: QUANTITY_SCHEMA,
  },
  ['from', 'to'],
);

export const IMPAIRMENT_SCHEMA: Schema = closed(
  {
    apiVersion: { type: 'string', const: 'podwire.dev/v1' },
    kind: { type: 'string', const: 'Impairment' },
    metadata: CLUSTER_META,
    spec: IMPAIRMENT_SPEC_SCHEMA,
    status: { type: 'object', description: 'Given by the daemon; ignored in a PUT.' },
  },
  ['apiVersion', 'kind', 'metadata', 'spec'],
);

const check = checker<Impairment>(IMPAIRMENT_SCHEMA);

/**
 * An Impairment as it is stored: in its normal form, no status.
 * @throws PodwireError INVALID naming the field
 */
export function parseImpairment(value: unknown): Impairment {
  const { apiVersion, kind, metadata, spec } = check(value);
  return { apiVersion, kind, metadata, spec: normalise(spec) };
}

function normalise(spec: ImpairmentSpec): ImpairmentSpec {
  const [from, to] = [readEnd('spec.from', spec.from), readEnd('spec.to', spec.to)];
  if (from.pod === undefined && to.pod === undefined) {
    throw invalid('spec.to', 'or spec.from must be a pod: what passes no pod of this node is not seen here');
  }
  if (from.pod !== undefined && from.pod === to.pod) throw invalid('spec.to', 'is the pod of spec.from');
  const normal: ImpairmentSpec = {
    from,
    to,
    bidirectional: spec.bidirectional ?? true,
    ...(spec.delay !== undefined && { delay: timeText('spec.delay', spec.delay) }),
    ...(spec.jitter !== undefined && { jitter: timeText('spec.jitter', spec.jitter) }),
    ...(spec.loss !== undefined && { loss: `${readShare('spec.loss', spec.loss)}%` }),
    ...(spec.rate !== undefined && { rate: readQuantity('spec.rate', spec.rate, RATE_BOUNDS) }),
  };
  const { delay, jitter, loss, rate } = normal;
  if ([delay, jitter, loss, rate].every((one) => one === undefined)) {
    throw invalid('spec', 'says nothing to do: give delay, jitter, loss or rate');
  }
  if (millisecondsOf(jitter) > millisecondsOf(delay)) {
    throw invalid('spec.jitter', `must not be more than spec.delay, which is ${delay ?? 'missing'}`);
  }
  return normal;
}

function readEnd(field: string, { pod, cidr }: ImpairmentEnd): ImpairmentEnd {
  if ((pod === undefined) === (cidr === undefined)) throw invalid(field, 'must have either pod or cidr');
  if (pod !== undefined) return { pod: readPod(`${field}.pod`, pod) };
  return { cidr: readPrefix(`${field}.cidr`, cidr ?? '') };
}

function readPod(field: string, text: string): string {
  const parts = text.split('/');
  if (parts.length > 2) throw invalid(field, `'${text}' is not NAMESPACE/NAME`);
  const [namespace, name] = parts.length === 2 ? parts : [DEFAULT_NAMESPACE, text];
  try {
    return `${namespaceName(namespace)}/${resourceName(name)}`;
  } catch {
    throw invalid(field, `'${text}' is not NAMESPACE/NAME of a pod`);
  }
}

function readPrefix(field: string, text: string): string {
  const whole = text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`;
  try {
    const given = parseCidr(whole);
    const network = networkOf(given);
    if (given.words.every((word, index) => word === network.words[index])) return formatCidr(network);
    throw invalid(field, `${text} has bits behind its length; did you mean ${formatCidr(network)}?`);
  } catch (error) {
    if (error instanceof AddressError) throw invalid(field, error.message);
    throw error;
  }
}

function timeText(field: string, text: string): string {
  return `${readTime(field, text, MOST_DELAY_MS)}ms`;
}

function millisecondsOf(text: string | undefined): number {
  return text === undefined ? 0 : Number.parseFloat(text);
}

/** What forwarding needs of one in its normal form. */
export function plannedImpairment({ spec }: Impairment): PlannedImpairment {
  const { from, to, bidirectional = true, delay, jitter, loss, rate } = spec;
  const bits = rate === undefined ? undefined : Number(rate);
  return {
    from: plannedEnd(from),
    to: plannedEnd(to),
    bidirectional,
    ...(delay !== undefined && { delayMs: millisecondsOf(delay) }),
    ...(jitter !== undefined && { jitterMs: millisecondsOf(jitter) }),
    ...(loss !== undefined && { loss: Number.parseFloat(loss) / 100 }),
    ...(bits !== undefined && { rate: { bitsPerSecond: bits, burstBytes: defaultBurst(bits) } }),
  };
}

function plannedEnd({ pod, cidr = '' }: ImpairmentEnd): PlannedEnd {
  return pod === undefined ? { kind: 'addresses', cidr } : { kind: 'pod', key: pod };
}
