/**
 * A daemon with its API on TCP, asked from its own namespace and from a pod's by the built program:
 *
 *     pod "web" ── eth0 ─── switch ─── podwire0 ── the daemon, listening on every address
 */
import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StatusAnswer } from '../../src/control/api/types.js';
import { CertificateMaker, missingForCertificates } from '../support/certificates.js';
import { DaemonBench, missingForDaemon, type RunningDaemon } from './daemon-support.js';

const missing = missingForDaemon() ?? missingForCertificates();
if (missing) console.log(`skipped: the daemon's tests need ${missing}`);

const PROGRAM = fileURLToPath(new URL('../../bin/podwire', import.meta.url));

describe.skipIf(missing)('API on TCP', () => {
  let bench: DaemonBench;
  let daemon: RunningDaemon;
  let token: string;

  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    token = join(bench.directory, 'token');
    writeFileSync(token, 'a-token-for-the-test\n', { mode: 0o600 });
    daemon = await bench.start(['--listen', '0.0.0.0:7443', '--token-file', token]);
  });
  afterAll(() => bench.cleanup());

  /** `podwire status -o json` in a namespace. */
  async function status(from: string, ...words: string[]): Promise<{ text: string; code: number }> {
    const enter = ['netns', 'exec', bench.name(from), process.execPath, PROGRAM];
    const child = spawn('ip', [...enter, 'status', '-o', 'json', ...words], {
      env: { PATH: process.env.PATH },
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
    }
    const code = await new Promise<number>((resolve) => child.once('close', resolve));
    return { text, code };
  }

  it('answers on the loopback and to a pod, and nobody without the token', async () => {
    await bench.pod('web');
    for (const [from, url] of [
      ['host', 'http://127.0.0.1:7443'],
      ['web', 'http://10.244.0.2:7443'],
    ]) {
      const { text, code } = await status(from, '--server', url, '--token-file', token);
      expect(code, text).toBe(0);
      expect(JSON.parse(text) as StatusAnswer).toMatchObject({ node: 'n1', ready: true });
      expect(await status(from, '--server', url)).toMatchObject({
        text: expect.stringContaining('error: UNAUTHORIZED: '),
        code: 1,
      });
    }
    expect(bench.logged('the API is on TCP without TLS: its token can be read on the way')).toHaveLength(1);
  });

  it('shows the cluster’s keys of the store and no others', async () => {
    const answer = await bench.call<{ entries: unknown[] }>('GET', '/v1/store/entries?prefix=cluster/');
    expect(answer.status).toBe(200);
    expect((await bench.call('GET', '/v1/store/entries?prefix=pods/')).status).toBe(404);
  });

  it('leaves nothing behind when it stops', async () => {
    expect(await bench.end(daemon, 'SIGTERM')).toBe(0);
    for (const suffix of ['', '.tcp']) expect(existsSync(bench.socket + suffix)).toBe(false);
    expect(await status('host', '--server', 'http://127.0.0.1:7443')).toMatchObject({
      text: expect.stringContaining('error: DAEMON_UNREACHABLE: nobody listens at'),
      code: 1,
    });
  });

  it('refuses to start with what cannot be right, by code, and starts with client certificates', async () => {
    const ca = new CertificateMaker(bench.directory);
    const [own, old, client] = [ca.issue(), ca.issue([-2, -1]), ca.issue()];
    const listen = ['--listen', '127.0.0.1:7443'];
    const tls = (files: { cert: string; key: string }) => ['--tls-cert', files.cert, '--tls-key', files.key];
    const cases: [string[], string, number][] = [
      [listen, 'INVALID: --listen: would let anybody in', 2],
      [[...listen, ...tls(own)], 'INVALID: --listen: would let anybody in', 2],
      [[...listen, '--token-file', '/nowhere'], 'INVALID: --token-file: cannot be read', 1],
      [
        [...listen, ...tls(old), '--tls-ca', ca.ca],
        `TLS_FAILED: ${old.cert}: the certificate has expired`,
        1,
      ],
      [
        [...listen, ...tls({ cert: own.cert, key: old.key }), '--tls-ca', ca.ca],
        `TLS_FAILED: ${old.key}: is not the key`,
        1,
      ],
      [
        ['--listen', '192.0.2.1:7443', '--token-file', token],
        'LISTEN_FAILED: --listen 192.0.2.1 port 7443',
        1,
      ],
    ];
    for (const [flags, message, code] of cases) {
      const failed = await bench.fail(flags);
      expect(failed.text).toContain(`error: ${message}`);
      expect(failed.status, message).toBe(code);
      expect(existsSync(`${bench.socket}.tcp`)).toBe(false);
    }
    daemon = await bench.start([...listen, ...tls(own), '--tls-ca', ca.ca]);
    const url = ['--server', 'https://127.0.0.1:7443', '--tls-ca', ca.ca];
    const { text, code } = await status('host', ...url, ...tls(client));
    expect(code, text).toBe(0);
    expect((await status('host', ...url)).text).toContain('error: TLS_FAILED: ');
  });
});
