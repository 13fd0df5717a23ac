/**
 * Asks the daemon, over its unix socket. An error that it answers becomes one of CNI; where nobody answers, or not in time, it
 * is TRY_AGAIN_LATER. Nothing is repeated here: whether and when to try again is the runtime's to say.
 */
import { request } from 'node:http';
import type { ErrorAnswer } from '../control/api/types.js';
import { asCniError } from './api-codes.js';
import { CniError } from './errors.js';

/** ADD makes an interface, which takes tens of milliseconds; on a host out of breath, seconds. */
const ANSWER_DEADLINE_MS = 30_000;
/** Asked often, and does nothing that takes long. */
const STATUS_DEADLINE_MS = 5_000;

/** @throws CniError */
export function post<T>(socket: string, path: string, body: unknown): Promise<T> {
  return ask<T>(socket, 'POST', path, JSON.stringify(body), ANSWER_DEADLINE_MS);
}

/** @throws CniError */
export function get<T>(socket: string, path: string): Promise<T> {
  return ask<T>(socket, 'GET', path, undefined, STATUS_DEADLINE_MS);
}

async function ask<T>(
  socketPath: string,
  method: string,
  path: string,
  body: string | undefined,
  deadline: number,
): Promise<T> {
  const { status, text } = await exchange(socketPath, method, path, body, deadline);
  const answer = parse(text, socketPath);
  if (status < 400) return answer as T;
  const error = (answer as Partial<ErrorAnswer> | null)?.error;
  if (typeof error?.code !== 'string') throw notPodwire(socketPath);
  if (status === 404 && error.code === 'NOT_FOUND' && error.message.includes(path.split('?')[0])) {
    throw new CniError(
      'NO_DAEMON',
      `the daemon on ${socketPath} has no ${path}: it is older than podwire-cni; update it`,
    );
  }
  throw asCniError(error.code, error.message, error.field);
}

function exchange(
  socketPath: string,
  method: string,
  path: string,
  body: string | undefined,
  deadline: number,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const call = request({ socketPath, method, path, headers, agent: false }, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8');
      incoming.on('data', (part: string) => {
        text += part;
      });
      incoming.on('error', (error) => reject(unreachable(error, socketPath)));
      incoming.on('end', () => {
        clearTimeout(timer);
        resolve({ status: incoming.statusCode ?? 0, text });
      });
    });
    const timer = setTimeout(() => call.destroy(timedOut(socketPath, deadline)), deadline);
    call.on('error', (error) => {
      clearTimeout(timer);
      reject(unreachable(error, socketPath));
    });
    call.end(body);
  });
}

function parse(text: string, socket: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notPodwire(socket);
  }
}

function notPodwire(socket: string): CniError {
  return new CniError(
    'NO_DAEMON',
    `what answers on ${socket} is not podwire's API; is another program listening there?`,
    'ANSWER_INVALID',
  );
}

function timedOut(socket: string, deadline: number): CniError {
  return new CniError(
    'TRY_AGAIN_LATER',
    `the daemon on ${socket} did not answer in ${deadline / 1000} s; look at its log`,
    'DAEMON_TIMEOUT',
  );
}

function unreachable(error: NodeJS.ErrnoException, socket: string): CniError {
  if (error instanceof CniError) return error;
  switch (error.code) {
    case 'EACCES':
    case 'EPERM':
      return new CniError(
        'NO_DAEMON',
        `this user may not use ${socket}; run the runtime as root`,
        'SOCKET_FORBIDDEN',
      );
    case 'ENOENT':
    case 'ENOTDIR':
      return down(
        `there is no socket ${socket}; start podwire daemon, or set "socket" in the network configuration`,
      );
    case 'ECONNREFUSED':
      return down(`nobody listens on ${socket}; start podwire daemon`);
    case 'ECONNRESET':
    case 'EPIPE':
      return down(`the daemon on ${socket} went away; its log says why`);
    default:
      return down(`cannot talk to ${socket}: ${error.message}`);
  }
}

function down(text: string): CniError {
  return new CniError('TRY_AGAIN_LATER', text, 'DAEMON_UNREACHABLE');
}
