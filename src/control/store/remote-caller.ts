/**
 * HTTP to the store of another node: requests of bounded time over connections that are kept. What it throws is
 * STORE_UNREACHABLE where nothing is known of what became of the request, else what the other side answered.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { connectionProblem } from '../api/connection-problem.js';
import type { Credentials } from '../api/credentials.js';
import type { ErrorAnswer } from '../api/types.js';
import { ERROR_CODES, type ErrorCode, PodwireError } from '../errors.js';

export interface RemoteAddress {
  /** `https://10.0.0.1:7443`. */
  readonly url: string;
  /** Bearer token; asked for each time, as it may be replaced. */
  readonly token?: () => string;
  readonly tls?: Credentials;
}

/** The server closes a connection that is idle for 10 s; this end does earlier, so that no request meets that. */
const KEEP_IDLE = 4000;
/** A store's answer is no larger. */
const MOST_ANSWER = 256 * 1024 * 1024;

export class RemoteCaller {
  private readonly agent: HttpAgent | HttpsAgent;
  private readonly isTls: boolean;

  constructor(
    private readonly address: RemoteAddress,
    private readonly timeoutMs: number,
  ) {
    this.isTls = address.url.startsWith('https:');
    const options = { keepAlive: true, timeout: KEEP_IDLE, maxSockets: 16 };
    this.agent = this.isTls ? new HttpsAgent({ ...options, ...address.tls }) : new HttpAgent(options);
  }

  headers(): Record<string, string> {
    const token = this.address.token?.();
    return token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  /** @throws PodwireError */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const { status, text } = await this.exchange(method, path, body);
    const answer = parseAnswer(text);
    if (status < 400 && answer !== undefined) return answer as T;
    throw this.refusal(status, answer as Partial<ErrorAnswer> | undefined);
  }

  close(): void {
    this.agent.destroy();
  }

  /** @param reason for people. */
  unreachable(reason: string): PodwireError {
    return new PodwireError('STORE_UNREACHABLE', `cluster store: ${reason}`);
  }

  private async exchange(
    method: string,
    path: string,
    body: unknown,
  ): Promise<{ status: number; text: string }> {
    const signal = AbortSignal.timeout(this.timeoutMs);
    const attempt = async (): Promise<{ status: number; text: string }> => {
      const message = await this.send(method, path, body, signal);
      return { status: message.statusCode ?? 0, text: await readAll(message) };
    };
    try {
      return await attempt().catch((error) => {
        if (error instanceof StaleConnection && method === 'GET') return attempt();
        throw error;
      });
    } catch (error) {
      if (signal.aborted) {
        throw this.unreachable(`${this.address.url} did not answer within ${this.timeoutMs} ms`);
      }
      throw this.unreachable(connectionProblem(causeOf(error), this.address.url).text);
    }
  }

  private send(method: string, path: string, body: unknown, signal: AbortSignal): Promise<IncomingMessage> {
    const text = body === undefined ? '' : JSON.stringify(body);
    const headers = { ...this.headers(), 'content-length': Buffer.byteLength(text) };
    const request = this.isTls ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const options = { method, agent: this.agent, headers, signal };
      const call = request(`${this.address.url}${path}`, options, resolve);
      call.on('error', (error) => reject(call.reusedSocket ? new StaleConnection(error) : error));
      call.end(text);
    });
  }

  private refusal(status: number, answer: Partial<ErrorAnswer> | undefined): PodwireError {
    const { error } = answer ?? {};
    const { url } = this.address;
    if (!error || !isErrorCode(error.code)) {
      return this.unreachable(`what answers at ${url} (status ${status}) is not podwire's API`);
    }
    if (error.code === 'UNAUTHORIZED') return new PodwireError('UNAUTHORIZED', `${url}: ${error.message}`);
    if (error.code === 'STOPPING') return this.unreachable(`the daemon at ${url} is stopping`);
    return new PodwireError(error.code, error.message, error.field);
  }
}

/** On a connection that was kept: the server may have closed it while the request was on its way. */
class StaleConnection extends Error {
  constructor(override readonly cause: NodeJS.ErrnoException) {
    super(cause.message);
  }
}

function causeOf(error: unknown): NodeJS.ErrnoException {
  return error instanceof StaleConnection ? error.cause : (error as NodeJS.ErrnoException);
}

async function readAll(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of message as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MOST_ANSWER) throw new Error(`the answer is larger than ${MOST_ANSWER} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return ERROR_CODES.some((known) => known.code === code);
}
