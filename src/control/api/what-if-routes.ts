/** /v1/dry-run and /v1/state. */
import type { DryRun } from '../what-if/dry-run.js';
import type { Route } from './routes.js';
import { parseDryRun } from './what-if-schemas.js';
import type { StateAnswer } from './what-if-types.js';

export interface WhatIf {
  readonly dryRun: DryRun;
  state(): Promise<StateAnswer>;
}

export function whatIfRoutes(whatIf: () => WhatIf): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/dry-run',
      summary:
        'what applying and deleting would do, and which connections of this node’s pods would fare otherwise',
      body: 'DryRunRequest',
      answer: 'DryRun',
      handle: async ({ body, gone }) => ({ body: await whatIf().dryRun.run(parseDryRun(body), gone) }),
    },
    {
      method: 'GET',
      path: '/v1/state',
      summary:
        'what verdicts depend on: networks, nodes, namespaces, policies, services and the pods of all nodes',
      answer: 'State',
      handle: async () => ({ body: await whatIf().state() }),
    },
  ];
}
