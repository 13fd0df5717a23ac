/**
 * The API's client: HTTP/1.1 over the daemon's unix socket, with node:http alone. One connection for each
 * request; an answer that is an error becomes an ApiError with the API's own code and message.
 */
import { type IncomingMessage, request } from 'node:http';
import type { ErrorAnswer } from '../control/api/types.js';
import { ApiError, CliError, failure } from './errors.js';

/** Attaching runs iproute2 and waits for the dataplane; nothing takes nearly as long as this. */
const ANSWER_TIMEOUT_MS = 60_000;

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

/** An answer with a status below 400. */
export interface Answer<T> {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: T;
}

export class ApiClient {
  /** @param socket path of the daemon's unix socket */
  constructor(readonly socket: string) {}

  async get<T>(path: string): Promise<T> {
    return (await this.send<T>('GET', path)).body;
  }

  /**
   * Sends a request and returns the parsed JSON answer. Throws CliError: DAEMON_UNREACHABLE,
   * SOCKET_FORBIDDEN, DAEMON_TIMEOUT, ANSWER_INVALID; and ApiError with the code of an error answered.
   */
  async send<T>(method: Method, path: string, body?: unknown): Promise<Answer<T>> {
    const message = await this.#exchange(method, path, body === undefined ? '' : JSON.stringify(body));
    const text = await readAll(message, this.socket);
    const answer = parse(text, this.socket);
    const status = message.statusCode ?? 0;
    if (status >= 400) throw refusal(answer, status);
    return { status, headers: message.headers, body: answer as T };
  }

  #exchange(method: Method, path: string, body: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const call = request(
        {
          socketPath: this.socket,
          method,
          path,
          agent: false,
          timeout: ANSWER_TIMEOUT_MS,
          headers: body === '' ? {} : { 'content-type': 'application/json' },
        },
        resolve,
      );
      call.on('timeout', () => call.destroy(timedOut(this.socket)));
      call.on('error', (error) => reject(unreachable(error, this.socket)));
      call.end(body);
    });
  }
}

async function readAll(message: IncomingMessage, socket: string): Promise<string> {
  const parts: Buffer[] = [];
  try {
    for await (const part of message) parts.push(part as Buffer);
  } catch (error) {
    throw unreachable(error as Error, socket);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parse(text: string, socket: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw failure(
      'ANSWER_INVALID',
      `what answers on ${socket} is not podwire's API; is another program listening there?`,
    );
  }
}

/** The API's error answer as an error of ours. */
function refusal(answer: unknown, status: number): CliError {
  const error = (answer as Partial<ErrorAnswer> | null)?.error;
  if (error === undefined) return failure('ANSWER_INVALID', `the daemon answered ${status} without a reason`);
  return new ApiError(error.code, error.message);
}

function timedOut(socket: string): CliError {
  return failure(
    'DAEMON_TIMEOUT',
    `the daemon on ${socket} did not answer in ${ANSWER_TIMEOUT_MS / 1000} s; look at its log`,
  );
}

/** What a failed connection means to the user. */
function unreachable(error: NodeJS.ErrnoException, socket: string): CliError {
  if (error instanceof CliError) return error;
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
      return failure('SOCKET_FORBIDDEN', `this user may not use ${socket}; run as root (sudo podwire …)`);
    case 'ENOENT':
      return notRunning(`there is no socket ${socket}`);
    case 'ECONNREFUSED':
      return notRunning(`nobody listens on ${socket}`);
    case 'ECONNRESET':
    case 'EPIPE':
      return failure('DAEMON_UNREACHABLE', `the daemon on ${socket} went away; its log says why`);
    default:
      return failure('DAEMON_UNREACHABLE', `cannot talk to ${socket}: ${error.message}`);
  }
}

function notRunning(finding: string): CliError {
  return failure(
    'DAEMON_UNREACHABLE',
    `${finding}; start it with podwire daemon, or name its socket with --socket or PODWIRE_SOCKET`,
  );
}
