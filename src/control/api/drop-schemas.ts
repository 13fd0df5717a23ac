/** Schemas of drop-types.ts. */

import type { Schema } from '../model/schema.js';
import { DIRECTIONS } from '../policies/types.js';
import { count, exactly, list, optionalText, orNull, text } from './answer-schemas.js';
import { NOTE } from './explain-schemas.js';

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
