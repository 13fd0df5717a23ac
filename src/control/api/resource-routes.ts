/** The routes that kinds of resources have alike: list, one of them, PUT, DELETE. */
import { namespaceName, resourceName } from '../model/kinds.js';
import type { PutResult } from '../networks.js';
import { checkIdentity, putReply } from './replies.js';
import type { ApiRequest, Route } from './routes.js';
import type { SchemaName } from './schemas.js';
import type { Resource } from './types.js';

export interface KindRoutes<T extends Resource> {
  readonly kind: T['kind'] & SchemaName;
  readonly apiVersion: T['apiVersion'];
  readonly plural: string;
  readonly namespaced: boolean;
  readonly words: {
    readonly all: string;
    readonly one: string;
    readonly put: string;
    readonly delete: string;
  };
  readonly parse: (body: unknown) => T;
  readonly store: () => {
    view(key: string): T;
    list(namespace?: string): T[];
    put(key: string, given: T): Promise<PutResult>;
    delete(key: string): Promise<T>;
  };
}

export function resourceRoutes<T extends Resource>(
  revision: () => Promise<number>,
  kind: KindRoutes<T>,
): Route[] {
  const { store, words, plural, namespaced } = kind;
  const path = `/v1/${plural}/${namespaced ? ':namespace/' : ''}:name`;
  const list = `${kind.kind}List` as SchemaName;
  return [
    {
      method: 'GET',
      path: `/v1/${plural}`,
      summary: words.all,
      ...(namespaced && { query: { namespace: 'of this namespace only' } }),
      answer: list,
      handle: async ({ query }) => ({
        body: {
          apiVersion: kind.apiVersion,
          kind: list,
          revision: await revision(),
          items: store().list(query.get('namespace') ?? undefined),
        },
      }),
    },
    {
      method: 'GET',
      path,
      summary: words.one,
      answer: kind.kind,
      handle: (request) => ({ body: store().view(nameOf(request, namespaced).key) }),
    },
    {
      method: 'PUT',
      path,
      summary: words.put,
      body: kind.kind,
      answer: kind.kind,
      handle: async (request) => {
        const { key, name, namespace } = nameOf(request, namespaced);
        const resource = kind.parse(request.body);
        checkIdentity(resource.metadata, name, namespace);
        return putReply(await store().put(key, resource), store().view(key));
      },
    },
    {
      method: 'DELETE',
      path,
      summary: words.delete,
      answer: kind.kind,
      handle: async (request) => ({ body: await store().delete(nameOf(request, namespaced).key) }),
    },
  ];
}

function nameOf(
  { params }: ApiRequest,
  namespaced: boolean,
): { key: string; name: string; namespace?: string } {
  const name = resourceName(params.name);
  if (!namespaced) return { key: name, name };
  const namespace = namespaceName(params.namespace);
  return { key: `${namespace}/${name}`, name, namespace };
}
