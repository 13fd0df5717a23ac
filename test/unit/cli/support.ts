/** The command line in this process, against an API that answers what a test says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { run } from '../../../src/cli/main.js';

export interface Heard {
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
}

export interface Reply {
  readonly status?: number;
  readonly result?: string;
  readonly body: unknown;
}

/** Serves the replies by `METHOD /path`; anything else is answered NOT_FOUND. Returns the socket and what it heard. */
export async function fakeApi(replies: Readonly<Record<string, Reply>>) {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-cli-'));
  const socket = join(folder, 'api.sock');
  const heard: Heard[] = [];
  const server = createServer(async (request, response) => {
    const text = Buffer.concat(await request.toArray()).toString();
    const { method = '', url = '' } = request;
    heard.push({ method, url, body: text === '' ? undefined : JSON.parse(text) });
    const missing = { status: 404, body: { error: { code: 'NOT_FOUND', message: `there is no ${url}` } } };
    const reply: Reply = replies[`${method} ${url}`] ?? missing;
    response.writeHead(reply.status ?? 200, reply.result ? { 'x-podwire-result': reply.result } : {});
    response.end(JSON.stringify(reply.body));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { socket, heard };
}

/** Runs one command line and returns what it wrote and its exit status. */
export async function podwire(...argv: string[]): Promise<{ out: string; err: string; status: number }> {
  let out = '';
  let err = '';
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += text;
      return true;
    }),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      err += text;
      return true;
    }),
  ];
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await run(argv);
    return { out, err, status: Number(process.exitCode ?? 0) };
  } finally {
    process.exitCode = before;
    for (const spy of spies) spy.mockRestore();
  }
}
