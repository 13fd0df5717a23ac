/**
 * Limits of an interface, seen from its pod: `egress` is what it sends, `ingress` what it is sent. A rate is in bits a
 * second, a burst in bytes; both may be written as Kubernetes writes quantities, and are numbers from then on.
 *
 * They come from attach requests, from the annotations that Kubernetes has for them, and from CNI's capability
 * `bandwidth`, whose bursts are in bits.
 */
import type { CniBandwidth } from '../api/cni-types.js';
import type { LimitRequest, Limits, LimitsWish, Rate, RateWish } from '../api/types.js';
import { invalid } from '../errors.js';
import { type Bounds, QUANTITY_SCHEMA, readQuantity } from './quantities.js';
import { checker, closed, type Schema } from './schema.js';

export const BANDWIDTH_ANNOTATION = {
  egress: 'kubernetes.io/egress-bandwidth',
  ingress: 'kubernetes.io/ingress-bandwidth',
} as const;

/** One packet of 1500 bytes in one and a half seconds; with less, TCP gives up. */
export const RATE_BOUNDS: Bounds = { least: 8000, most: 1e13, leastText: '8k', mostText: '10T' };

/** The bandwidth plugin of CNI takes less than 4 GiB as well. */
const BURST_BOUNDS: Bounds = { least: 1, most: 2 ** 32, leastText: '1', mostText: '4Gi' };

/** What passes at once when nothing is said: ten packets, or ten milliseconds of the rate. */
const LEAST_BURST = 16_384;
const BURST_SECONDS = 0.01;

/** Bits: what kubelet and containerd fill in where nobody has said a burst. It would be minutes of most rates. */
const UNSAID_BURSTS: readonly number[] = [2 ** 31 - 1, 2 ** 32 - 1];

const RATE_SCHEMA: Schema = closed({ rate: QUANTITY_SCHEMA, burst: QUANTITY_SCHEMA }, ['rate']);

const DIRECTIONS = { egress: RATE_SCHEMA, ingress: RATE_SCHEMA };

export const LIMITS_SCHEMA: Schema = closed(DIRECTIONS);

export function limitRequestSchema(ifname: Schema): Schema {
  return closed({ ifname, ...DIRECTIONS });
}

/** @throws PodwireError INVALID naming the field */
export function limitParser(ifname: Schema): (body: unknown) => LimitRequest & Limits {
  const check = checker<LimitRequest>(limitRequestSchema(ifname));
  return (body) => {
    const { ifname: of, ...limits } = check(body);
    return { ...(of !== undefined && { ifname: of }), ...readLimits('', limits) };
  };
}

/**
 * Checked and as numbers; what it gives it takes unchanged.
 * @param path of the limits: `limits.`
 * @throws PodwireError INVALID naming the field
 */
export function readLimits(path: string, { egress, ingress }: LimitsWish): Limits {
  return {
    ...(egress && { egress: readRate(`${path}egress.`, egress) }),
    ...(ingress && { ingress: readRate(`${path}ingress.`, ingress) }),
  };
}

/** @param path of the rate: `spec.`, `limits.egress.` */
export function readRate(path: string, { rate, burst }: RateWish): Rate {
  const bits = readQuantity(`${path}rate`, rate, RATE_BOUNDS);
  const bytes = burst === undefined ? defaultBurst(bits) : readQuantity(`${path}burst`, burst, BURST_BOUNDS);
  return { rate: bits, burst: bytes };
}

export function defaultBurst(rate: number): number {
  return Math.min(BURST_BOUNDS.most, Math.max(LEAST_BURST, Math.round((rate / 8) * BURST_SECONDS)));
}

/** undefined where the annotations say nothing. @throws PodwireError INVALID naming the annotation */
export function annotatedLimits(annotations: Readonly<Record<string, string>>): Limits | undefined {
  const rateOf = (key: string): Rate | undefined => {
    if (annotations[key] === undefined) return undefined;
    const rate = readQuantity(`metadata.annotations["${key}"]`, annotations[key], RATE_BOUNDS);
    return { rate, burst: defaultBurst(rate) };
  };
  const egress = rateOf(BANDWIDTH_ANNOTATION.egress);
  const ingress = rateOf(BANDWIDTH_ANNOTATION.ingress);
  return limitsOf(egress, ingress);
}

/** undefined where nothing is limited. @throws PodwireError INVALID naming the field */
export function cniLimits(bandwidth: CniBandwidth = {}): Limits | undefined {
  const { egressRate, egressBurst, ingressRate, ingressBurst } = bandwidth;
  return limitsOf(
    cniRate('bandwidth.egress', egressRate, egressBurst),
    cniRate('bandwidth.ingress', ingressRate, ingressBurst),
  );
}

function cniRate(field: string, rate = 0, burst = 0): Rate | undefined {
  if (rate === 0 && burst === 0) return undefined;
  if (rate === 0) throw invalid(`${field}Burst`, `needs ${field.split('.')[1]}Rate beside it`);
  const bits = readQuantity(`${field}Rate`, rate, RATE_BOUNDS);
  const isUnsaid = burst === 0 || UNSAID_BURSTS.includes(burst);
  const bytes = Math.max(1, Math.floor(burst / 8));
  return {
    rate: bits,
    burst: isUnsaid ? defaultBurst(bits) : readQuantity(`${field}Burst`, bytes, BURST_BOUNDS),
  };
}

function limitsOf(egress: Rate | undefined, ingress: Rate | undefined): Limits | undefined {
  if (!egress && !ingress) return undefined;
  return { ...(egress && { egress }), ...(ingress && { ingress }) };
}
