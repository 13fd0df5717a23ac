import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ApiClient } from '../../../src/cli/client.js';
import { ApiError, errorLine } from '../../../src/cli/errors.js';

function socketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-client-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'api.sock');
}

async function serve(listener: RequestListener): Promise<ApiClient> {
  const path = socketPath();
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    server.close();
  });
  return new ApiClient(path);
}

describe('a daemon that answers', () => {
  it('gets the body as JSON, with status and headers', async () => {
    const client = await serve(async (request, response) => {
      const parts = await request.toArray();
      const heard = { method: request.method, url: request.url, type: request.headers['content-type'] };
      response.writeHead(201, { 'x-podwire-result': 'created' });
      response.end(JSON.stringify({ ...heard, body: Buffer.concat(parts).toString() }));
    });
    const answer = await client.send('PUT', '/v1/networks/a', { kind: 'Network', name: 'ü' });
    expect(answer.status).toBe(201);
    expect(answer.headers['x-podwire-result']).toBe('created');
    expect(answer.body).toEqual({
      method: 'PUT',
      url: '/v1/networks/a',
      type: 'application/json',
      body: '{"kind":"Network","name":"ü"}',
    });
  });

  it('sends no body where there is none', async () => {
    const client = await serve(async (request, response) => {
      const parts = await request.toArray();
      response.end(
        JSON.stringify({ length: Buffer.concat(parts).length, type: request.headers['content-type'] }),
      );
    });
    expect(await client.get('/v1/status')).toEqual({ length: 0 });
  });

  it('passes errors on with their own code and message', async () => {
    const client = await serve((_request, response) => {
      response
        .writeHead(409)
        .end('{"error": {"code": "ADDRESS_IN_USE", "message": "10.0.0.3 is\\n web\'s"}}');
    });
    const error = await client.get('/v1/pods').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(errorLine(error)).toBe("error: ADDRESS_IN_USE: 10.0.0.3 is web's");
  });

  it.each([
    [200, 'not JSON', 'is not podwire'],
    [500, '{}', 'answered 500 without a reason'],
    [502, 'null', 'answered 502 without a reason'],
  ])('does not believe %d %j', async (status, body, message) => {
    const client = await serve((_request, response) => response.writeHead(status).end(body));
    await expect(client.get('/')).rejects.toMatchObject({
      code: 'ANSWER_INVALID',
      message: expect.stringContaining(message),
    });
  });
});

describe('a daemon that does not answer', () => {
  it('is not there', async () => {
    const path = socketPath();
    await expect(new ApiClient(path).get('/')).rejects.toMatchObject({
      code: 'DAEMON_UNREACHABLE',
      message: expect.stringMatching(new RegExp(`there is no socket ${path}; start it with podwire daemon`)),
    });
  });

  it('has left its socket behind', async () => {
    const stale = socketPath();
    const program = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`;
    const { signal } = spawnSync(process.execPath, ['-e', program, stale]);
    expect(signal).toBe('SIGKILL');
    await expect(new ApiClient(stale).get('/')).rejects.toMatchObject({
      code: 'DAEMON_UNREACHABLE',
      message: expect.stringContaining('nobody listens'),
    });
  });

  it('is another file', async () => {
    const path = socketPath();
    writeFileSync(path, '');
    await expect(new ApiClient(path).get('/')).rejects.toMatchObject({ code: 'DAEMON_UNREACHABLE' });
  });

  it('goes away before the answer, and in the middle of it', async () => {
    const before = await serve((request) => request.socket.destroy());
    await expect(before.get('/')).rejects.toMatchObject({ code: 'DAEMON_UNREACHABLE' });
    const middle = await serve((request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{"a":');
      setTimeout(() => request.socket.destroy(), 10);
    });
    await expect(middle.get('/')).rejects.toMatchObject({ code: 'DAEMON_UNREACHABLE' });
  });
});
