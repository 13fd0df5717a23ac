/** /v1/services, /v1/endpointslices and /v1/namespaces. */
import { parseEndpointSlice } from '../model/endpoint-slice.js';
import { parseNamespace } from '../model/namespace.js';
import { parseService } from '../model/service.js';
import type { Resources } from '../services/resources.js';
import { resourceRoutes } from './resource-routes.js';
import type { Route } from './routes.js';

export function serviceRoutes(resources: () => Resources, revision: () => Promise<number>): Route[] {
  return [
    ...resourceRoutes(revision, {
      kind: 'Service',
      apiVersion: 'v1',
      plural: 'services',
      namespaced: true,
      words: {
        all: 'all services',
        one: 'one service',
        put: 'create or change a service; answers when it is in force on this node',
        delete: 'delete a service; its addresses and ports are free again',
      },
      parse: parseService,
      store: () => resources().services,
    }),
    ...resourceRoutes(revision, {
      kind: 'EndpointSlice',
      apiVersion: 'discovery.k8s.io/v1',
      plural: 'endpointslices',
      namespaced: true,
      words: {
        all: 'all endpoint slices, applied and computed',
        one: 'one endpoint slice',
        put: 'create or change an endpoint slice; answers when it is in force on this node',
        delete: 'delete an endpoint slice that was applied',
      },
      parse: parseEndpointSlice,
      store: () => resources().slices,
    }),
    ...resourceRoutes(revision, {
      kind: 'Namespace',
      apiVersion: 'v1',
      plural: 'namespaces',
      namespaced: false,
      words: {
        all: 'all namespaces, applied and those that something is in',
        one: 'one namespace',
        put: 'create or change a namespace: its labels and annotations',
        delete: 'delete a namespace with all that is in it',
      },
      parse: parseNamespace,
      store: () => resources().namespaces,
    }),
  ];
}
