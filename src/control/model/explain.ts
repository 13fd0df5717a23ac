/** The body of POST /v1/explain. */
import { EXPLAIN_PROTOCOLS, type ExplainRequest } from '../api/explain-types.js';
import { NAMESPACE } from './meta.js';
import { checker, closed, type Schema } from './schema.js';

/** A name and a namespace of 253 characters each, a kind and a node. */
const END: Schema = { type: 'string', minLength: 1, maxLength: 800 };

export const EXPLAIN_SCHEMA: Schema = closed(
  {
    from: { ...END, example: 'shop/web' },
    to: { ...END, example: 'svc/shop/db' },
    namespace: NAMESPACE,
    protocol: { type: 'string', enum: [...EXPLAIN_PROTOCOLS] },
    port: { type: 'integer', minimum: 1, maximum: 65_535 },
    family: { type: 'string', enum: ['IPv4', 'IPv6'] },
  },
  ['from', 'to'],
);

/** @throws PodwireError INVALID naming the field */
export const parseExplain = checker<ExplainRequest>(EXPLAIN_SCHEMA);
