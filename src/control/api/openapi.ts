/** The OpenAPI 3.1 document, from the route table and the schemas. */
import { VERSION } from '../version.js';
import { isPublic } from './public-paths.js';
import type { Route } from './routes.js';
import { SCHEMAS, type SchemaName } from './schemas.js';

type Json = Record<string, unknown>;

const SECURITY = {
  token: { type: 'http', scheme: 'bearer', description: 'the content of --token-file' },
  certificate: { type: 'mutualTLS', description: 'a client certificate that --tls-ca has signed' },
};

export function openApi(routes: readonly Route[]): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'podwire',
      version: VERSION,
      description:
        'The control API of a podwire daemon, on its unix socket and, with --listen, on TCP. The unix socket asks for ' +
        'nothing; TCP for the bearer token of --token-file, a client certificate of --tls-ca, or both, as it was started.',
    },
    security: [{}, { token: [] }, { certificate: [] }, { token: [], certificate: [] }],
    paths,
    components: { schemas: SCHEMAS, securitySchemes: SECURITY },
  };
}

function operation(route: Route): Json {
  return {
    summary: route.summary,
    ...(isPublic(route.path) && { security: [{}, { certificate: [] }] }),
    parameters: [...pathParameters(route.path), ...queryParameters(route)],
    ...(route.body && {
      requestBody: { required: route.isBodyOptional !== true, content: json(route.body) },
    }),
    responses: {
      200: { description: route.stream ? 'WebSocket messages' : 'done', content: json(route.answer) },
      ...(!isPublic(route.path) && { 401: { description: 'who asks is not known', content: json('Error') } }),
      ...(route.method === 'PUT' && { 201: { description: 'created', content: json(route.answer) } }),
      default: { description: 'an error', content: json('Error') },
    },
  };
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
}

function queryParameters({ query = {} }: Route): Json[] {
  return Object.entries(query).map(([name, description]) => ({
    name,
    in: 'query',
    description,
    schema: { type: 'string' },
  }));
}

function json(name: SchemaName): Json {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${name}` } } };
}
