/** /v1/flows. */
import { FILTERS } from '../flows/flow-filter.js';
import { FLOW_PAGE, type Flows } from '../flows/flows.js';
import type { Route } from './routes.js';

export function flowRoutes(flows: () => Flows): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/flows',
      summary: 'connections, page by page; those that come or go meanwhile may be missed',
      query: {
        ...FILTERS,
        limit: `how many at most: 1 to ${FLOW_PAGE.most}, without it ${FLOW_PAGE.usual}`,
        continue: 'of the page before',
      },
      answer: 'Flows',
      handle: async ({ query }) => ({ body: await flows().list(query) }),
    },
    {
      method: 'GET',
      path: '/v1/flows/summary',
      summary: 'connections by state and by service, and how full the table is',
      query: FILTERS,
      answer: 'FlowSummary',
      handle: async ({ query }) => ({ body: await flows().summary(query) }),
    },
  ];
}
