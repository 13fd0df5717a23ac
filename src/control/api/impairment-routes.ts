/** /v1/impairments. */
import type { Impairments } from '../impairments.js';
import { parseImpairment } from '../model/impairment.js';
import { resourceName } from '../model/kinds.js';
import { checkIdentity, putReply } from './replies.js';
import type { ApiRequest, Route } from './routes.js';

export function impairmentRoutes(impairments: Impairments, revision: () => Promise<number>): Route[] {
  const path = '/v1/impairments/:name';
  const nameOf = ({ params }: ApiRequest): string => resourceName(params.name);
  return [
    {
      method: 'GET',
      path: '/v1/impairments',
      summary: 'all impairments',
      answer: 'ImpairmentList',
      handle: async () => ({
        body: {
          apiVersion: 'podwire.dev/v1',
          kind: 'ImpairmentList',
          revision: await revision(),
          items: impairments.list(),
        },
      }),
    },
    {
      method: 'GET',
      path,
      summary: 'one impairment',
      answer: 'Impairment',
      handle: (request) => ({ body: impairments.view(nameOf(request)) }),
    },
    {
      method: 'PUT',
      path,
      summary: 'create or change an impairment; answers when it is in force',
      body: 'Impairment',
      answer: 'Impairment',
      handle: async (request) => {
        const name = nameOf(request);
        const impairment = parseImpairment(request.body);
        checkIdentity(impairment.metadata, name);
        return putReply(await impairments.put(name, impairment), impairments.view(name));
      },
    },
    {
      method: 'DELETE',
      path,
      summary: 'delete an impairment',
      answer: 'Impairment',
      handle: async (request) => ({ body: await impairments.delete(nameOf(request)) }),
    },
  ];
}
