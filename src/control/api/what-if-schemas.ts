/** Schemas of what-if-types.ts. */

import { checker, closed, type Schema } from '../model/schema.js';
import { choice, count, flag, list, text } from './answer-schemas.js';
import { NOTE } from './explain-schemas.js';
import type { DryRunRequest } from './what-if-types.js';

/** Seconds. */
export const MOST_OBSERVED = 600;

const NAME = { kind: text, namespace: text, name: text };

const DRY_RUN_REQUEST: Schema = closed({
  apply: { ...list({ type: 'object' }), description: 'Resources as a PUT takes them, in their order.' },
  delete: list(closed(NAME, ['kind', 'name'])),
  observe: {
    type: 'number',
    minimum: 0,
    maximum: MOST_OBSERVED,
    description: 'Seconds for which every connection of this node’s pods is followed. Default 0.',
  },
});

export const parseDryRun = checker<DryRunRequest>(DRY_RUN_REQUEST);

const DIRECTION_VERDICT = closed(
  { allowed: flag, reason: choice('policy', 'open', 'outside', 'own-node', 'self'), note: NOTE },
  ['allowed', 'reason'],
);

const VERDICT = closed({ allowed: flag, egress: DIRECTION_VERDICT, ingress: DIRECTION_VERDICT }, [
  'allowed',
  'egress',
  'ingress',
]);

const END = closed({ address: text, pod: text, node: text }, ['address']);

export const WHAT_IF_SCHEMAS = {
  DryRunRequest: DRY_RUN_REQUEST,
  DryRun: closed(
    {
      node: text,
      documents: list(
        closed(
          { ...NAME, outcome: choice('created', 'configured', 'unchanged', 'deleted'), concerns: flag },
          ['kind', 'name', 'outcome', 'concerns'],
        ),
      ),
      flows: count,
      refused: count,
      allowed: count,
      ended: count,
      changes: list(
        closed(
          { from: END, to: END, protocol: text, port: count, flows: count, now: VERDICT, after: VERDICT },
          ['from', 'to', 'protocol', 'flows', 'now', 'after'],
        ),
      ),
      truncated: flag,
    },
    ['node', 'documents', 'flows', 'refused', 'allowed', 'ended', 'changes', 'truncated'],
  ),
  State: closed(
    {
      apiVersion: { const: 'podwire.dev/v1' },
      kind: { const: 'State' },
      node: text,
      nodeIPs: list(text),
      clusterCIDRs: list(text),
      serviceCIDRs: list(text),
      items: list({ type: 'object' }),
    },
    ['apiVersion', 'kind', 'node', 'nodeIPs', 'clusterCIDRs', 'serviceCIDRs', 'items'],
  ),
} satisfies Record<string, Schema>;
