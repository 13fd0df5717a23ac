/** What schemas of answers are put together of. */
import { closed, type Schema } from '../model/schema.js';

export const text: Schema = { type: 'string' };
export const count: Schema = { type: 'number' };
export const flag: Schema = { type: 'boolean' };
export const optionalText: Schema = { type: ['string', 'null'] };

export function list(items: Schema): Schema {
  return { type: 'array', items };
}

export function choice(...values: readonly string[]): Schema {
  return { type: 'string', enum: values };
}

/** All of them, and nothing else. */
export function exactly(properties: Record<string, Schema>): Schema {
  return closed(properties, Object.keys(properties));
}

export function orNull(schema: Schema): Schema {
  return { oneOf: [schema, { type: 'null' }] };
}
