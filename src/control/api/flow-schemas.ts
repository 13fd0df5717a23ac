/** Schemas of flow-types.ts. */
import { closed, type Schema } from '../model/schema.js';
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
