/** Finds the route of a request, and turns what it throws into answers. No I/O. */
import { asPodwireError, invalid, PodwireError } from '../errors.js';
import { type Logger, RepeatedLog } from '../logger.js';
import { type ApiRequest, type Reply, type Route, unknownPath } from './routes.js';
import type { ErrorAnswer } from './types.js';

/** Status of what the daemon or the host has failed at. */
const FAULT = 500;

const repeated = new WeakMap<Logger, RepeatedLog>();

export interface Match {
  readonly route: Route;
  readonly params: Record<string, string>;
}

export class Router {
  private readonly patterns: { route: Route; segments: readonly string[] }[];

  constructor(routes: readonly Route[]) {
    this.patterns = routes.map((route) => ({ route, segments: route.path.split('/') }));
  }

  /** @throws PodwireError NOT_FOUND, UNSUPPORTED, METHOD_NOT_ALLOWED, INVALID */
  find(method: string, path: string): Match {
    const segments = path.split('/');
    const matches = this.patterns.filter((pattern) => fits(pattern.segments, segments));
    const found = matches.find(({ route }) => route.method === method);
    if (found) return { route: found.route, params: parameters(found.segments, segments) };
    if (matches.length === 0) throw unknownPath(path);
    const methods = matches.map(({ route }) => route.method).join(', ');
    throw new PodwireError('METHOD_NOT_ALLOWED', `${path} has ${methods}, not ${method}`);
  }
}

/** @throws PodwireError INVALID */
export function checkQuery(route: Route, query: URLSearchParams): void {
  for (const name of query.keys()) {
    if (!Object.hasOwn(route.query ?? {}, name)) throw invalid(name, 'unknown query parameter');
  }
}

/** Reads a JSON body. @throws PodwireError BODY_INVALID, INVALID */
export function parseBody(route: Route, text: string): unknown {
  if (!route.body) {
    if (text !== '' && text !== '{}') throw invalid('body', 'this request has none');
    return undefined;
  }
  if (text === '' && route.isBodyOptional === true) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new PodwireError('BODY_INVALID', `the body is not JSON: ${detail}`);
  }
}

/** A runtime asks again and again: once a minute is enough to say so. */
function repeatedOf(log: Logger): RepeatedLog {
  const found = repeated.get(log) ?? new RepeatedLog(log);
  repeated.set(log, found);
  return found;
}

export async function answer(route: Route, request: ApiRequest, log: Logger): Promise<Reply> {
  try {
    checkQuery(route, request.query);
    return await route.handle(request);
  } catch (error) {
    return errorReply(error, log);
  }
}

/** Faults of podwire's own are logged with their stack, those of the host by their code; the rest is the caller's to know. */
export function errorReply(error: unknown, log: Logger): Reply {
  const { code, message, field, status } = asPodwireError(error);
  if (code === 'INTERNAL')
    log.error({ stack: error instanceof Error ? error.stack : message }, 'request failed');
  else if (status === FAULT) repeatedOf(log).warn(code, { code, error: message }, 'request failed');
  const body: ErrorAnswer = { error: { code, message, ...(field !== undefined && { field }) } };
  // "Kinds that are not there yet" are paths that do not exist.
  const isPath = code === 'UNSUPPORTED' && field === 'path';
  if (code === 'UNAUTHORIZED') return { status, headers: { 'www-authenticate': 'Bearer' }, body };
  return { status: isPath ? 404 : status, body };
}

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((part, index) => (part.startsWith(':') ? segments[index] !== '' : part === segments[index]))
  );
}

function parameters(pattern: readonly string[], segments: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pattern.flatMap((part, index) =>
      part.startsWith(':') ? [[part.slice(1), decode(segments[index])]] : [],
    ),
  );
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw invalid('path', `'${segment}' is not percent-encoded text`);
  }
}
