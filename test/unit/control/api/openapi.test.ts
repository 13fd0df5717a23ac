/** The OpenAPI document, and the documentation that is written from the same tables. */
import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { openApi } from '../../../../src/control/api/openapi.js';
import { type ApiDaemon, apiRoutes } from '../../../../src/control/api/routes.js';
import { SCHEMAS } from '../../../../src/control/api/schemas.js';
import { ERROR_CODES } from '../../../../src/control/errors.js';

// Routes are described without a daemon: nothing of it is used before a request comes.
const routes = apiRoutes({} as ApiDaemon);
const document = openApi(routes) as {
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Record<string, object> };
};

function text(name: string): string {
  return readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8');
}

describe('openApi', () => {
  it('has every route, with its parameters', () => {
    const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(listed).toHaveLength(routes.length);
    expect(listed).toContain('POST /v1/pods/{namespace}/{name}/attach');
    expect(document.paths['/v1/pods/{namespace}/{name}'].put).toMatchObject({
      parameters: [{ name: 'namespace', in: 'path' }, { name: 'name' }],
      requestBody: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Pod' } } } },
    });
  });

  it('says how to show who asks, and what may be asked without', () => {
    const { components, security } = document as unknown as {
      components: { securitySchemes: Record<string, { type: string }> };
      security: Record<string, string[]>[];
    };
    const types = Object.values(components.securitySchemes).map(({ type }) => type);
    expect(types).toEqual(['http', 'mutualTLS']);
    for (const requirement of security) {
      for (const name of Object.keys(requirement)) expect(components.securitySchemes).toHaveProperty(name);
    }
    const open = routes.filter(({ method, path }) => {
      const operation = document.paths[path.replace(/:(\w+)/g, '{$1}')][method.toLowerCase()];
      return !Object.hasOwn((operation as { responses: object }).responses, '401');
    });
    expect(open.map(({ path }) => path)).toEqual(['/healthz', '/readyz']);
  });

  it('refers only to schemas that it has, and they are schemas', () => {
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)];
    expect(references.length).toBeGreaterThan(20);
    for (const [, name] of references) expect(SCHEMAS).toHaveProperty(name);
    const ajv = new Ajv({ strict: false });
    for (const schema of Object.values(SCHEMAS))
      expect(ajv.validateSchema(schema), ajv.errorsText()).toBe(true);
  });
});

describe('documentation', () => {
  it('lists every error code with its status and meaning', () => {
    const rows = text('errors.md').split('\n');
    for (const { code, status, meaning } of ERROR_CODES) {
      expect(rows).toContain(`| \`${code}\` | ${status} | ${meaning} |`);
    }
  });

  it('lists every route', () => {
    const page = text('api.md');
    for (const { method, path } of routes) {
      const written = path.replace(/:(\w+)/g, (_, name: string) => name.toUpperCase());
      expect(page).toContain(`| ${method} | \`${written}\` |`);
    }
  });
});
