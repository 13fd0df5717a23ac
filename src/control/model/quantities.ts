/**
 * Amounts as people write them: quantities of Kubernetes (`10M`, `64Ki`; apimachinery, resource/quantity.go), times
 * (`50ms`) and shares (`1%`). Read strictly: what could mean two things is refused, with the field's name.
 */
import { invalid } from '../errors.js';
import type { Schema } from './schema.js';

const SUFFIXES: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

const QUANTITY = /^(\d{1,18}(?:\.\d{0,9})?|\.\d{1,9})(?:([eE][+-]?\d{1,2})|([mkMGTPE]|[KMGTPE]i)?)$/;

/** In milliseconds. */
const TIMES: Readonly<Record<string, number>> = { us: 1e-3, µs: 1e-3, ms: 1, s: 1e3 };

const TIME = /^(\d{1,9}(?:\.\d{1,6})?)(us|µs|ms|s)$/;
const SHARE = /^(\d{1,3}(?:\.\d{1,4})?)%$/;

export const QUANTITY_SCHEMA: Schema = {
  type: ['number', 'string'],
  description: 'a number, or a quantity as Kubernetes writes it: 10M, 1.5G, 64Ki',
};

export interface Bounds {
  readonly least: number;
  readonly most: number;
  /** Of what, for messages: `8k (bits a second)`. */
  readonly leastText: string;
  readonly mostText: string;
}

/** A whole number. @throws PodwireError INVALID naming the field */
export function readQuantity(field: string, given: number | string, bounds: Bounds): number {
  const value = Math.round(typeof given === 'number' ? given : amountOf(field, given));
  if (value >= bounds.least && value <= bounds.most) return value;
  throw invalid(field, `must be from ${bounds.leastText} to ${bounds.mostText}, not ${given}`);
}

function amountOf(field: string, text: string): number {
  const [, digits, exponent, suffix = ''] = QUANTITY.exec(text) ?? [];
  const factor = SUFFIXES[suffix];
  if (digits !== undefined && exponent !== undefined) return Number(digits + exponent);
  if (digits !== undefined && factor !== undefined) return Number(digits) * factor;
  throw invalid(
    field,
    `'${text}' is not a quantity: a number, alone or with k, M, G, T, Ki, Mi, Gi or Ti, as in 10M`,
  );
}

/** A time in milliseconds, whole microseconds. @throws PodwireError INVALID naming the field */
export function readTime(field: string, text: string, mostMs: number): number {
  const [, digits, unit = ''] = TIME.exec(text) ?? [];
  if (digits === undefined) throw invalid(field, `'${text}' is not a time such as 50ms, 1.5s or 200us`);
  const ms = Math.round(Number(digits) * TIMES[unit] * 1000) / 1000;
  if (ms <= mostMs) return ms;
  throw invalid(field, `must be at most ${mostMs / 1000}s, not ${text}`);
}

/** Of a hundred. @throws PodwireError INVALID naming the field */
export function readShare(field: string, text: string): number {
  const [, digits] = SHARE.exec(text) ?? [];
  const percent = Number(digits);
  if (digits === undefined)
    throw invalid(field, `'${text}' is not a share such as 1% or 0.05% (at most four decimals)`);
  if (percent <= 100) return percent;
  throw invalid(field, `must be at most 100%, not ${text}`);
}
