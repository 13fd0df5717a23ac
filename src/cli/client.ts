/**
 * The API's client: HTTP/1.1 over the daemon's unix socket, or over TCP to a daemon with --listen, with node:http
 * and node:https alone. One connection for each request; an answer that is an error becomes an ApiError with the API's
 * own code and message.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connectionProblem } from '../control/api/connection-problem.js';
import type { Credentials } from '../control/api/credentials.js';
import type { ErrorAnswer } from '../control/api/types.js';
import { ApiError, CliError, failure } from './errors.js';

/** Attaching runs iproute2 and waits for the dataplane; nothing takes nearly as long as this. */
const ANSWER_TIMEOUT_MS = 60_000;
/** For a TCP connection to a daemon elsewhere. */
const CONNECT_TIMEOUT_MS = 10_000;

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE';

/** An answer with a status below 400. */
export interface Answer<T> {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: T;
}

/** A daemon that listens on TCP. */
export interface Server {
  /** `https://10.0.0.1:7443`. */
  readonly url: string;
  readonly token?: string;
  readonly tls?: Credentials;
}

export class ApiClient {
  /** Where the daemon is, for messages: a path or a URL. */
  readonly #place: string;

  /** @param target path of the daemon's unix socket, or where it listens on TCP */
  constructor(readonly target: string | Server) {
    this.#place = typeof target === 'string' ? target : target.url;
  }

  async get<T>(path: string): Promise<T> {
    return (await this.send<T>('GET', path)).body;
  }

  /**
   * Sends a request and returns the parsed JSON answer. Throws CliError: DAEMON_UNREACHABLE, TLS_FAILED,
   * SOCKET_FORBIDDEN, DAEMON_TIMEOUT, ANSWER_INVALID; and ApiError with the code of an error answered.
   * @param patience how long (ms) the daemon was asked to take, beside the usual.
   */
  async send<T>(method: Method, path: string, body?: unknown, patience = 0): Promise<Answer<T>> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const message = await this.#exchange(method, path, text, ANSWER_TIMEOUT_MS + patience);
    return this.#answerOf<T>(message);
  }

  async #answerOf<T>(message: IncomingMessage): Promise<Answer<T>> {
    const text = await this.#readAll(message);
    const answer = parse(text, this.#place);
    const status = message.statusCode ?? 0;
    if (status >= 400) throw refusal(answer, status);
    return { status, headers: message.headers, body: answer as T };
  }

  #exchange(method: Method, path: string, body: string, timeout: number): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = body === '' ? {} : { 'content-type': 'application/json' };
      const options = { method, agent: false, timeout, headers };
      const call = this.#request(path, options, resolve);
      call.on('timeout', () => call.destroy(timedOut(this.#place, timeout)));
      call.on('error', (error) => reject(this.#unreachable(error)));
      call.end(body);
    });
  }

  #request(path: string, options: RequestOptions, answered: (message: IncomingMessage) => void) {
    if (typeof this.target === 'string') {
      return httpRequest({ ...options, path, socketPath: this.target }, answered);
    }
    const { url, token, tls } = this.target;
    const headers = { ...options.headers, ...(token !== undefined && { authorization: `Bearer ${token}` }) };
    const request = url.startsWith('https:') ? httpsRequest : httpRequest;
    const call = request(`${url}${path}`, { ...options, ...tls, headers }, answered);
    const timer = setTimeout(() => call.destroy(timedOut(url, CONNECT_TIMEOUT_MS)), CONNECT_TIMEOUT_MS);
    const stop = () => clearTimeout(timer);
    call.on('socket', (socket) => socket.once(url.startsWith('https:') ? 'secureConnect' : 'connect', stop));
    call.on('close', stop);
    return call;
  }

  async #readAll(message: IncomingMessage): Promise<string> {
    const parts: Buffer[] = [];
    try {
      for await (const part of message) parts.push(part as Buffer);
    } catch (error) {
      throw this.#unreachable(error as Error);
    }
    return Buffer.concat(parts).toString('utf8');
  }

  /** What a failed connection means to the user. */
  #unreachable(error: NodeJS.ErrnoException): CliError {
    if (error instanceof CliError) return error;
    if (typeof this.target === 'string') return socketProblem(error, this.target);
    const { kind, text } = connectionProblem(error, this.target.url);
    return kind === 'tls' ? new CliError('TLS_FAILED', text) : failure('DAEMON_UNREACHABLE', text);
  }
}

function parse(text: string, place: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw failure(
      'ANSWER_INVALID',
      `what answers on ${place} is not podwire's API; is another program listening there?`,
    );
  }
}

/** The API's error answer as an error of ours. */
function refusal(answer: unknown, status: number): CliError {
  const error = (answer as Partial<ErrorAnswer> | null)?.error;
  if (error === undefined) return failure('ANSWER_INVALID', `the daemon answered ${status} without a reason`);
  return new ApiError(error.code, error.message);
}

function timedOut(place: string, ms: number): CliError {
  return failure(
    'DAEMON_TIMEOUT',
    `the daemon on ${place} did not answer in ${ms / 1000} s; look at its log`,
  );
}

function socketProblem(error: NodeJS.ErrnoException, socket: string): CliError {
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
