/** Schemas of drop-types.ts. */
import { closed, type Schema } from '../model/schema.js';
import { DIRECTIONS } from '../policies/types.js';
import { NOTE } from './explain-schemas.js';

const text: Schema = { type: 'string' };
const count: Schema = { type: 'number' };
const optionalText: Schema = { type: ['string', 'null'] };

function list(items: Schema): Schema {
  return { type: 'array', items };
}

function exactly(properties: Record<string, Schema>): Schema {
  return closed(properties, Object.keys(properties));
}

function orNull(schema: Schema): Schema {
  return { oneOf: [schema, { type: 'null' }] };
}

const DIRECTION: Schema = { type: 'string', enum: [...DIRECTIONS] };
const END = orNull(exactly({ address: text, port: { type: ['number', 'null'] }, pod: optionalText }));

export const DROP_SCHEMAS = {
  Drops: exactly({
    total: count,
    drops: list(exactly({ reason: text, meaning: text, port: text, count })),
    rules: list(exactly({ count, direction: orNull(DIRECTION), rule: text, note: orNull(NOTE) })),
  }),
  RecentDrops: exactly({
    drops: list(
      exactly({
        time: text,
        direction: DIRECTION,
        port: text,
        protocol: optionalText,
        source: END,
        destination: END,
        rule: text,
        note: orNull(NOTE),
      }),
    ),
  }),
} satisfies Record<string, Schema>;
