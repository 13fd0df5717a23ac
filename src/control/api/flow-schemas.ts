/** Schemas of flow-types.ts. */

import type { Schema } from '../model/schema.js';
import { count, exactly, list, optionalText, text } from './answer-schemas.js';
import { NOTE } from './explain-schemas.js';

const WAY = exactly({
  source: text,
  sourcePort: count,
  destination: text,
  destinationPort: count,
  packets: count,
  bytes: count,
});

const RULE: Schema = { oneOf: [exactly({ rule: text, note: NOTE }), { type: 'null' }] };
const POLICY = exactly({
  verdict: { type: 'string', enum: ['allowed', 'refused'] },
  egress: RULE,
  ingress: RULE,
});

export const FLOW_SCHEMAS = {
  Flows: exactly({
    flows: list(
      exactly({
        protocol: text,
        state: text,
        assured: { type: 'boolean' },
        service: optionalText,
        policy: { oneOf: [POLICY, { type: 'null' }] },
        port: text,
        original: WAY,
        reply: WAY,
        ageMs: count,
        idleMs: count,
        expiresMs: count,
      }),
    ),
    continue: optionalText,
  }),
  FlowSummary: exactly({
    flows: count,
    states: list(exactly({ protocol: text, state: text, flows: count })),
    services: list(exactly({ service: optionalText, flows: count, packets: count, bytes: count })),
    table: exactly({
      capacity: count,
      size: count,
      opened: count,
      expired: count,
      evicted: count,
      refused: count,
    }),
  }),
} satisfies Record<string, Schema>;
