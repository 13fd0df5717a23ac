/** Calls the plugin in this process, and stands in for a daemon where only the words between the two are tested. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Outcome, respond } from '../../../src/cni/main.js';

export const CONTAINER = { CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/c1', CNI_IFNAME: 'eth0' };

/** Everything that is needed, at a socket where nobody listens. */
export const CONFIG = {
  cniVersion: '1.1.0',
  name: 'pods',
  type: 'podwire-cni',
  socket: '/nowhere/podwire.sock',
};

export function call(variables: Record<string, string>, input: unknown): Promise<Outcome> {
  const text = typeof input === 'string' ? input : JSON.stringify(input);
  return respond(variables, async () => text);
}

export function command(
  name: string,
  config: Record<string, unknown> = {},
  variables: Record<string, string> = {},
): Promise<Outcome> {
  return call({ CNI_COMMAND: name, ...CONTAINER, ...variables }, { ...CONFIG, ...config });
}

/** The code and the message of what must be an error. */
export async function refused(outcome: Promise<Outcome>): Promise<string> {
  const { answer, status } = await outcome;
  if (status === 0) throw new Error(`no error: ${JSON.stringify(answer)}`);
  return `${answer?.code}: ${answer?.msg}`;
}

export interface Heard {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

/** A server that answers everything alike. */
export async function serve(status: number, body: unknown): Promise<{ socket: string; heard: Heard[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-cni-'));
  const socket = join(folder, 's');
  const heard: Heard[] = [];
  const server = createServer(async (request, response) => {
    const text = Buffer.concat(await request.toArray()).toString();
    heard.push({
      method: request.method!,
      path: request.url!,
      body: text === '' ? undefined : JSON.parse(text),
    });
    response.writeHead(status);
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { socket, heard };
}

export const ANSWER = {
  namespace: 'cni',
  name: 'c1',
  network: 'default',
  ifname: 'eth0',
  mac: '02:70:0a:f4:00:03',
  mtu: 1450,
  netns: '/run/netns/c1',
  ips: [
    { address: '10.244.0.3/24', gateway: '10.244.0.1' },
    { address: 'fd00:10:244::3/64', gateway: 'fd00:10:244::1' },
  ],
  routes: [
    { dst: '0.0.0.0/0', gw: '10.244.0.1' },
    { dst: '::/0', gw: 'fd00:10:244::1' },
  ],
};
