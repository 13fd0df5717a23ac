/** Schemas of flow-types.ts. */
import { closed, type Schema } from '../model/schema.js';

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

export const FLOW_SCHEMAS = {
  Flows: exactly({
    flows: list(
      exactly({
        protocol: text,
        state: text,
        assured: { type: 'boolean' },
        service: optionalText,
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
