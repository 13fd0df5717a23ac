import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { answer, errorReply, parseBody, Router } from '../../../../src/control/api/router.js';
import type { Route } from '../../../../src/control/api/routes.js';
import { PodwireError } from '../../../../src/control/errors.js';
import { LinuxError, SystemError } from '../../../../src/linux/errno.js';
import { refusal } from '../support.js';

const quiet = pino({ level: 'silent' });

function route(method: Route['method'], path: string, more: Partial<Route> = {}): Route {
  return { method, path, summary: '', answer: 'Health', handle: () => ({ body: path }), ...more };
}

const LIST = route('GET', '/v1/pods', { query: { namespace: 'of this one' } });
const ONE = route('GET', '/v1/pods/:namespace/:name');
const PUT = route('PUT', '/v1/pods/:namespace/:name', { body: 'Pod' });
const router = new Router([LIST, ONE, PUT]);

describe('Router', () => {
  it('finds routes by method and path, with their parameters', () => {
    expect(router.find('GET', '/v1/pods')).toEqual({ route: LIST, params: {} });
    expect(router.find('PUT', '/v1/pods/default/web')).toEqual({
      route: PUT,
      params: { namespace: 'default', name: 'web' },
    });
    expect(router.find('GET', '/v1/pods/a%2Fb/w%20b').params).toEqual({ namespace: 'a/b', name: 'w b' });
  });

  it.each([
    ['POST', '/v1/pods', 'METHOD_NOT_ALLOWED'],
    ['get', '/v1/pods', 'METHOD_NOT_ALLOWED'],
    ['GET', '/v1/pods/', 'NOT_FOUND'],
    ['GET', '/v1/pods/default/', 'NOT_FOUND'],
    ['GET', '/v1/pods/default/web/more', 'NOT_FOUND'],
    ['GET', '/', 'NOT_FOUND'],
    ['GET', '/v1/pods/%zz/web', 'INVALID path'],
    ['GET', '/v1/networkpolicies/default', 'NOT_FOUND'],
    ['PUT', '/v1/adminnetworkpolicies/default/x', 'NOT_FOUND'],
    ['GET', '/v1/__proto__', 'NOT_FOUND'],
  ])('%s %s: %s', (method, path, expected) => {
    expect(refusal(() => router.find(method, path))).toBe(expected);
  });
});

describe('parseBody', () => {
  it('reads JSON where the route has a body', () => {
    expect(parseBody(PUT, '{"a":[1]}')).toEqual({ a: [1] });
    expect(refusal(() => parseBody(PUT, '{"a":'))).toBe('BODY_INVALID');
    expect(refusal(() => parseBody(PUT, ''))).toBe('BODY_INVALID');
  });
  it('refuses one where it has none', () => {
    expect(parseBody(ONE, '')).toBeUndefined();
    expect(refusal(() => parseBody(ONE, '{"a":1}'))).toBe('INVALID body');
  });
});

describe('answers', () => {
  const request = { params: {}, query: new URLSearchParams(), body: undefined };

  it('refuses query parameters that a route does not have', async () => {
    const query = new URLSearchParams('namespace=x&colour=blue');
    const reply = await answer(LIST, { ...request, query }, quiet);
    expect(reply).toMatchObject({ status: 400, body: { error: { code: 'INVALID', field: 'colour' } } });
  });

  it('turns what a handler throws into an error answer', async () => {
    const failing = route('GET', '/x', {
      handle: () => {
        throw new PodwireError('CONFLICT', 'it has changed', 'metadata.resourceVersion');
      },
    });
    expect(await answer(failing, request, quiet)).toEqual({
      status: 409,
      body: { error: { code: 'CONFLICT', message: 'it has changed', field: 'metadata.resourceVersion' } },
    });
  });

  it.each([
    [new LinuxError('NETNS_NOT_FOUND', 'gone'), 404, 'NETNS_NOT_FOUND'],
    [new SystemError(1, 'ioctl'), 500, 'HOST_FAILED'],
    [
      Object.assign(new Error('x'), { name: 'DataplaneError', code: 'IO_URING_UNAVAILABLE' }),
      500,
      'IO_URING_UNAVAILABLE',
    ],
    [
      Object.assign(new Error('x'), { name: 'DataplaneError', code: 'DATAPLANE_STOPPED' }),
      500,
      'DATAPLANE_FAILED',
    ],
    [new TypeError('undefined is not a function'), 500, 'INTERNAL'],
    ['a string', 500, 'INTERNAL'],
    [new PodwireError('UNSUPPORTED', 'path: no such kind', 'path'), 404, 'UNSUPPORTED'],
    [new PodwireError('UNSUPPORTED', 'spec.mode: no', 'spec.mode'), 400, 'UNSUPPORTED'],
  ])('%s is %d %s', (error, status, code) => {
    expect(errorReply(error, quiet)).toMatchObject({ status, body: { error: { code } } });
  });
});
