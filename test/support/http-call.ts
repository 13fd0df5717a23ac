/** One request over TCP, TLS or a unix socket, with its answer as text; and a connection that sends what it is told. */
import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface HttpCall extends RequestOptions {
  readonly url?: string;
  readonly body?: string;
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly minVersion?: 'TLSv1.3';
  readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2';
}

export function httpCall({ url = 'http://podwire/', body, ...options }: HttpCall): Promise<HttpAnswer> {
  const request = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const call = request(url, { agent: false, ...options }, (message) => {
      let text = '';
      message.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      message.on('error', reject);
      message.on('end', () => resolve({ status: message.statusCode ?? 0, headers: message.headers, text }));
    });
    call.on('error', reject);
    call.end(body);
  });
}

export interface RawConnection {
  /** Everything that came. */
  readonly received: string;
  /** Milliseconds from begin to end. */
  readonly lasted: number;
}

/**
 * Sends `first`, then `more` every `everyMs`, until the other side closes or `limitMs` have passed.
 * @throws Error after that time
 */
export function trickle(
  port: number,
  first: string,
  more: string,
  everyMs: number,
  limitMs: number,
): Promise<RawConnection> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port, '127.0.0.1');
    const timer = setInterval(() => socket.writable && socket.write(more), everyMs);
    const limit = setTimeout(() => socket.destroy(new Error(`still open after ${limitMs} ms`)), limitMs);
    let failure: Error | undefined;
    socket.write(first);
    socket.on('data', (chunk) => {
      received += chunk.toString();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') failure = error;
    });
    socket.on('close', () => {
      clearInterval(timer);
      clearTimeout(limit);
      if (failure) reject(failure);
      else resolve({ received, lasted: performance.now() - begun });
    });
  });
}
