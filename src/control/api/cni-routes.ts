/** /v1/cni: what the CNI plugin asks for, one path for each of its commands. */
import type { Cni } from '../cni.js';
import { parseCniAdd, parseCniCheck, parseCniDel, parseCniGc } from '../model/cni.js';
import { resourceName } from '../model/kinds.js';
import type { Route } from './routes.js';

export function cniRoutes(cni: Cni): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/cni/add',
      summary: 'give a container its interface; answers when it forwards',
      body: 'CniAddRequest',
      answer: 'CniAddAnswer',
      handle: async ({ body }) => ({ body: await cni.add(parseCniAdd(body)) }),
    },
    {
      method: 'POST',
      path: '/v1/cni/del',
      summary: 'take a container’s interface away; none is no error',
      body: 'CniDelRequest',
      answer: 'CniReleasedAnswer',
      handle: async ({ body }) => ({ body: await cni.del(parseCniDel(body)) }),
    },
    {
      method: 'POST',
      path: '/v1/cni/check',
      summary: 'whether a container’s interface is as it was made',
      body: 'CniCheckRequest',
      answer: 'CniStatusAnswer',
      handle: async ({ body }) => ({ body: await cni.check(parseCniCheck(body)) }),
    },
    {
      method: 'POST',
      path: '/v1/cni/gc',
      summary: 'take away the interfaces of a configuration that are not listed',
      body: 'CniGcRequest',
      answer: 'CniReleasedAnswer',
      handle: async ({ body }) => ({ body: await cni.gc(parseCniGc(body)) }),
    },
    {
      method: 'GET',
      path: '/v1/cni/status',
      summary: 'whether containers can be added now; else the error that they would meet',
      query: { network: 'default: default' },
      answer: 'CniStatusAnswer',
      handle: ({ query }) => ({ body: cni.status(resourceName(query.get('network') ?? 'default')) }),
    },
  ];
}
