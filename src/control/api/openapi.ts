/** The OpenAPI 3.1 document, from the route table and the schemas. */
import { VERSION } from '../version.js';
import type { Route } from './routes.js';
import { SCHEMAS, type SchemaName } from './schemas.js';

type Json = Record<string, unknown>;

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
      description: 'The control API of a podwire daemon, on its unix socket.',
    },
    paths,
    components: { schemas: SCHEMAS },
  };
}

function operation(route: Route): Json {
  return {
    summary: route.summary,
    parameters: [...pathParameters(route.path), ...queryParameters(route)],
    ...(route.body && { requestBody: { required: true, content: json(route.body) } }),
    responses: {
      200: { description: route.upgrade ? 'WebSocket messages' : 'done', content: json(route.answer) },
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
