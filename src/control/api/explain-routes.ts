/** /v1/explain. */
import { parseExplain } from '../model/explain.js';
import type { ExplainAnswer, ExplainRequest } from './explain-types.js';
import type { Route } from './routes.js';

/** @param explain asks what is in force. @throws PodwireError INVALID, NOT_FOUND */
export function explainRoutes(explain: (request: ExplainRequest) => ExplainAnswer): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/explain',
      summary: 'whether one end may send to another: the way, and the rule that decides at each end',
      body: 'ExplainRequest',
      answer: 'Explanation',
      handle: ({ body }) => ({ body: explain(parseExplain(body)) }),
    },
  ];
}
