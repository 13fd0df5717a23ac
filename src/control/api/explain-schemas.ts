/** Schemas of explain-types.ts, and of verdicts' rules wherever they are answered. */

import { EXPLAIN_SCHEMA } from '../model/explain.js';
import { closed, type Schema } from '../model/schema.js';
import { DIRECTIONS } from '../policies/types.js';
import { choice, count, exactly, list, text } from './answer-schemas.js';
import { END_KINDS, EXPLAIN_PROTOCOLS, WAYS } from './explain-types.js';

const DIRECTION = choice(...DIRECTIONS);
const POLICY = closed({ kind: text, namespace: text, name: text }, ['kind', 'name']);

/** PolicyNote */
export const NOTE: Schema = closed(
  {
    direction: DIRECTION,
    tier: choice('admin', 'policy', 'baseline', 'network', 'unknown'),
    action: choice('allow', 'deny', 'pass'),
    policies: list(POLICY),
    path: text,
    networks: { type: 'array', items: text, minItems: 2, maxItems: 2 },
  },
  ['direction', 'tier', 'action', 'policies'],
);

const ITEM = exactly({ path: text, line: count, text });

const RULE = closed(
  {
    policy: POLICY,
    path: text,
    line: count,
    peer: ITEM,
    port: ITEM,
    lines: list(exactly({ number: count, text, matched: { type: 'boolean' } })),
  },
  ['policy', 'path', 'line', 'lines'],
);

const VERDICT = closed(
  {
    direction: DIRECTION,
    pod: text,
    node: text,
    verdict: choice('allow', 'deny'),
    text,
    note: NOTE,
    rule: RULE,
    misses: list(exactly({ policy: POLICY, rules: list(exactly({ path: text, line: count, why: text })) })),
  },
  ['direction', 'verdict', 'text'],
);

const END = closed(
  {
    kind: choice(...END_KINDS),
    address: text,
    pod: text,
    node: text,
    network: text,
    labels: { type: 'object', additionalProperties: text },
  },
  ['kind', 'address'],
);

const WAY = closed(
  {
    kind: choice(...WAYS),
    text,
    peer: exactly({
      name: text,
      address: text,
      state: choice('self', 'up', 'down', 'unknown'),
      rttMicros: { type: ['number', 'null'] },
    }),
  },
  ['kind', 'text'],
);

const PATH = closed(
  {
    from: END,
    to: END,
    port: count,
    way: WAY,
    egress: VERDICT,
    ingress: VERDICT,
    verdict: choice('allowed', 'refused', 'unreachable'),
  },
  ['from', 'to', 'way', 'egress', 'ingress', 'verdict'],
);

const SERVICE = closed({ name: text, address: text, port: count, backends: count, otherBackends: count }, [
  'name',
  'port',
  'backends',
  'otherBackends',
]);

export const EXPLAIN_SCHEMAS = {
  ExplainRequest: EXPLAIN_SCHEMA,
  Explanation: exactly({
    node: text,
    from: text,
    to: text,
    protocol: choice(...EXPLAIN_PROTOCOLS),
    port: { type: ['number', 'null'] },
    service: { oneOf: [SERVICE, { type: 'null' }] },
    paths: list(PATH),
    verdict: choice('allowed', 'refused', 'unreachable', 'depends'),
    text,
  }),
} satisfies Record<string, Schema>;
