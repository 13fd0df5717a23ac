/** The API over TLS: certificates of the server and of clients, right, wrong, over and not yet valid. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ApiClient } from '../../../../src/cli/client.js';
import { loadCredentials } from '../../../../src/control/api/credentials.js';
import type { Route } from '../../../../src/control/api/routes.js';
import type { ApiServer, TcpOptions } from '../../../../src/control/api/server.js';
import type { TlsFiles } from '../../../../src/control/listen-options.js';
import { RemoteStore } from '../../../../src/control/store/remote.js';
import { Bench, embedded, openStoreRoutes, TOKEN } from '../../../support/api-server.js';
import { CertificateMaker, missingForCertificates } from '../../../support/certificates.js';
import { type HttpAnswer, httpCall, trickle } from '../../../support/http-call.js';

const missing = missingForCertificates();
if (missing) console.log(`skipped: certificates are made by ${missing}`);

/** Connections that the server does not end, the test does after so long. */
const GIVE_UP_MS = 40_000;

const routes: Route[] = ['/healthz', '/v1/thing'].map((path) => ({
  method: 'GET',
  path,
  summary: '',
  answer: 'Health',
  handle: () => ({ body: { path } }),
}));

describe.skipIf(missing)('API over TLS', () => {
  let bench: Bench;
  let ca: CertificateMaker;
  let own: Required<TlsFiles>;
  let client: Required<TlsFiles>;
  let expired: Required<TlsFiles>;
  let early: Required<TlsFiles>;
  let foreign: Required<TlsFiles>;
  let server: ApiServer | undefined;

  beforeAll(() => {
    bench = new Bench();
    ca = new CertificateMaker(bench.directory);
    [own, client] = [ca.issue(), ca.issue()];
    expired = ca.issue([-2, -1]);
    early = ca.issue([1, 2]);
    foreign = new CertificateMaker(bench.directory, 'other-ca').issue();
  });
  afterEach(() => {
    server?.close();
    server = undefined;
  });
  afterAll(() => bench.close());

  async function serve(tcp: Partial<TcpOptions>, more = routes): Promise<string> {
    server = await bench.serve(more, tcp);
    return `https://127.0.0.1:${server.port}`;
  }

  /** Status, or the code of what went wrong. */
  async function ask(url: string, files: Partial<TlsFiles>, token?: string): Promise<number | string> {
    const read = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path));
    const [certificate, key, trusted] = [read(files.cert), read(files.key), read(files.ca)];
    try {
      const answer: HttpAnswer = await httpCall({
        url: `${url}/v1/thing`,
        ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
        ...(certificate && { cert: certificate }),
        ...(key && { key }),
        ...(trusted && { ca: trusted }),
      });
      return answer.status;
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code);
    }
  }

  it('wants a client certificate of the CA, and no token then', async () => {
    const url = await serve({ tls: own });
    expect(await ask(url, client)).toBe(200);
    expect(await ask(url, { ca: ca.ca })).toBe('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED');
    bench.logged.length = 0;
    for (const files of [expired, foreign, early]) {
      expect(await ask(url, { ...files, ca: ca.ca })).toBe('ECONNRESET');
    }
    await expect.poll(() => bench.logged.length, { timeout: 15_000 }).toBe(3);
    expect(bench.logged.map(({ msg, error }) => `${msg}: ${error}`)).toEqual([
      'TLS client refused: CERT_HAS_EXPIRED',
      expect.stringMatching(/^TLS client refused: (UNABLE_TO|SELF_SIGNED)/),
      'TLS client refused: CERT_NOT_YET_VALID',
    ]);
  });

  it('wants both where both are asked for', async () => {
    const url = await serve({ tls: own, tokenFile: bench.tokenFile });
    expect(await ask(url, client)).toBe(401);
    expect(await ask(url, client, 'wrong')).toBe(401);
    expect(await ask(url, client, TOKEN)).toBe(200);
    expect(await ask(url, { ca: ca.ca }, TOKEN)).toBe('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED');
  });

  it('takes a token alone where there is no CA for clients, and has something to prove itself', async () => {
    const url = await serve({ tls: { cert: own.cert, key: own.key }, tokenFile: bench.tokenFile });
    expect(await ask(url, { ca: ca.ca }, TOKEN)).toBe(200);
    expect(await ask(url, { ca: ca.ca })).toBe(401);
    expect(await ask(url, { ca: foreign.ca }, TOKEN)).toMatch(/SELF_SIGNED|UNABLE_TO/);
    expect(bench.logged.filter(({ msg }) => String(msg).includes('without TLS'))).toEqual([]);
  });

  it('speaks no TLS before 1.2', async () => {
    const url = await serve({ tls: own });
    const read = (path: string) => readFileSync(path);
    const certificates = { ca: read(client.ca), cert: read(client.cert), key: read(client.key) };
    const old = httpCall({ url: `${url}/v1/thing`, ...certificates, maxVersion: 'TLSv1.1' });
    await expect(old).rejects.toThrow();
    const at12 = await httpCall({ url: `${url}/v1/thing`, ...certificates, maxVersion: 'TLSv1.2' });
    expect(at12.status).toBe(200);
  });

  it('waits ten seconds for a handshake, and passes nothing on before it', async () => {
    const store = embedded(bench.path('handshake.mdb'));
    const url = await serve(
      { tls: own },
      openStoreRoutes(() => store),
    );
    const port = server?.port ?? 0;
    const remote = await RemoteStore.open({ url, tls: loadCredentials(client) });
    const seen: string[] = [];
    const health: boolean[] = [];
    await remote.watch({ prefix: '', after: 0, onChange: ({ key }) => seen.push(key) });
    remote.onHealth(({ connected }) => health.push(connected));
    // The head of a record that says it is 16 KiB long, of which an octet comes each half second.
    const record = Buffer.from([22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc]).toString('latin1');
    const [silent, slow, plain] = await Promise.all([
      trickle(port, '', '', 1000, GIVE_UP_MS),
      trickle(port, record, '\0', 500, GIVE_UP_MS),
      trickle(port, 'GET /v1/store HTTP/1.1\r\nhost: x\r\n\r\n', '', 1000, GIVE_UP_MS),
    ]);
    for (const { received, lasted } of [silent, slow]) {
      expect(received).toBe('');
      expect(lasted).toBeGreaterThan(5000);
      // The server's clock ticks every four seconds, and later on a busy machine.
      expect(lasted).toBeLessThan(GIVE_UP_MS - 10_000);
    }
    expect(plain.received).not.toContain('revision');
    expect(plain.lasted).toBeLessThan(silent.lasted - 2000);
    // Who has shaken hands stays.
    await store.put('a', 1);
    await expect.poll(() => seen.length, { timeout: 15_000 }).toBe(1);
    expect({ seen, health }).toEqual({ seen: ['a'], health: [] });
    await remote.close();
    await store.close();
  });

  it('is judged by curl', async () => {
    const url = await serve({ tls: own });
    const run = promisify(execFile);
    const curl = async (...words: string[]): Promise<string> => {
      const fixed = ['-sS', '-o', '/dev/null', '-w', '%{http_code}', '--cacert', ca.ca];
      return run('curl', [...fixed, ...words, `${url}/v1/thing`]).then(
        ({ stdout }) => stdout,
        (error: { code: unknown }) => `failed: ${error.code}`,
      );
    };
    if ((await curl('--version')) === 'failed: ENOENT') return console.log('skipped: curl is not installed');
    expect(await curl('--cert', client.cert, '--key', client.key)).toBe('200');
    expect(await curl()).toBe('failed: 56');
    // Closed without an answer: CURLE_GOT_NOTHING, or CURLE_RECV_ERROR.
    expect(await curl('--cert', expired.cert, '--key', expired.key)).toMatch(/^failed: 5[26]$/);
  });

  it('names the file that is wrong before it listens', async () => {
    const text = bench.file('text.pem', 'no certificate');
    const cases: [TlsFiles, string][] = [
      [{ ...own, cert: bench.path('nowhere.pem') }, `${bench.path('nowhere.pem')}: ENOENT`],
      [{ ...own, key: bench.path('nowhere.key') }, `${bench.path('nowhere.key')}: ENOENT`],
      [{ ...own, ca: bench.path('nowhere') }, `${bench.path('nowhere')}: ENOENT`],
      [{ ...own, cert: text }, `${text}: has no certificate in PEM form`],
      [{ ...own, key: text }, `${text}: has no private key`],
      [{ ...own, ca: text }, `${text}: has no certificate in PEM form`],
      [{ ...own, key: client.key }, `${client.key}: is not the key of the certificate in ${own.cert}`],
      [{ ...expired }, `${expired.cert}: the certificate has expired on`],
      [{ ...early }, `${early.cert}: the certificate is not valid before`],
    ];
    for (const [tls, message] of cases) {
      await expect(bench.serve(routes, { tls }), message).rejects.toMatchObject({
        code: 'TLS_FAILED',
        message: expect.stringContaining(message),
      });
    }
  });

  it('reads replaced certificates again for new connections, and keeps the last ones where they do not fit', async () => {
    const [cert, key] = [bench.path('live.pem'), bench.path('live.key')];
    copyFileSync(own.cert, cert);
    copyFileSync(own.key, key);
    const url = await serve({ tls: { cert, key, ca: ca.ca } });
    expect(await ask(url, client)).toBe(200);
    copyFileSync(foreign.cert, cert);
    await new Promise((resolve) => setTimeout(resolve, 1050));
    expect(await ask(url, client)).toBe(200); // key and certificate do not fit: the old ones
    copyFileSync(foreign.key, key);
    await new Promise((resolve) => setTimeout(resolve, 1050));
    await ask(url, client); // a connection under way has the old ones yet
    expect(await ask(url, client)).toMatch(/SELF_SIGNED|UNABLE_TO/);
    expect(await ask(url, { ...client, ca: foreign.ca })).toBe(200);
    writeFileSync(cert, '');
  });

  it('tells users of the command line what to do', async () => {
    const url = await serve({ tls: own });
    const right = new ApiClient({ url, tls: loadCredentials(client) });
    expect(await right.get('/v1/thing')).toEqual({ path: '/v1/thing' });
    const plain = `http://127.0.0.1:${server?.port}`;
    const cases: [TlsFiles | undefined, string, string, string][] = [
      [{ ca: ca.ca }, url, 'TLS_FAILED', 'wants a client certificate; give one with --tls-cert'],
      [{ ...client, ca: foreign.ca }, url, 'TLS_FAILED', 'is of no CA known here; give its CA with --tls-ca'],
      [undefined, url, 'TLS_FAILED', 'is of no CA known here; give its CA with --tls-ca'],
      [client, url.replace('127.0.0.1', '127.0.0.2'), 'DAEMON_UNREACHABLE', 'nobody listens at'],
      [{ ...foreign, ca: ca.ca }, url, 'DAEMON_UNREACHABLE', 'of --tls-cert has expired or is of another CA'],
      [client, plain, 'DAEMON_UNREACHABLE', 'if it speaks TLS, use https://'],
    ];
    for (const [files, at, code, message] of cases) {
      const asked = new ApiClient({ url: at, ...(files && { tls: loadCredentials(files) }) }).get(
        '/v1/thing',
      );
      await expect(asked, message).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    }
  });

  it('tells them when the server’s certificate is for another name, or the server has none', async () => {
    const named = ca.issue([-1, 1], 'DNS:k1.example');
    const url = await serve({ tls: { cert: named.cert, key: named.key }, tokenFile: bench.tokenFile });
    await expect(new ApiClient({ url, tls: loadCredentials({ ca: ca.ca }) }).get('/')).rejects.toMatchObject({
      code: 'TLS_FAILED',
      message: expect.stringContaining('is for another name'),
    });
    server?.close();
    const plain = await serve({ tokenFile: bench.tokenFile });
    await expect(new ApiClient({ url: plain }).get('/')).rejects.toMatchObject({
      code: 'TLS_FAILED',
      message: expect.stringContaining('does not speak TLS'),
    });
  });

  it('does not believe a server whose certificate has expired', async () => {
    // A server of ours would not start with it.
    const tls = { cert: readFileSync(expired.cert), key: readFileSync(expired.key) };
    const old = createServer(tls, (_request, response) => response.end('{}')).listen(0, '127.0.0.1');
    await once(old, 'listening');
    const url = `https://127.0.0.1:${(old.address() as { port: number }).port}`;
    const credentials = loadCredentials({ ca: ca.ca });
    await expect(new ApiClient({ url, tls: credentials }).get('/')).rejects.toMatchObject({
      code: 'TLS_FAILED',
      message: expect.stringContaining('has expired'),
    });
    const store = await RemoteStore.open({ url, tls: credentials });
    expect(store.health).toMatchObject({ connected: false, reason: expect.stringContaining('has expired') });
    await expect(store.watch({ prefix: '', after: 0, onChange: () => {} })).rejects.toMatchObject({
      code: 'STORE_UNREACHABLE',
      message: expect.stringContaining('has expired'),
    });
    await store.close();
    old.close();
  });

  it('carries the cluster store', async () => {
    const store = embedded(bench.path('tls.mdb'));
    const url = await serve(
      { tls: own },
      openStoreRoutes(() => store),
    );
    const remote = await RemoteStore.open({ url, tls: loadCredentials(client) });
    expect(remote.health).toEqual({ connected: true });
    const seen: string[] = [];
    await remote.watch({ prefix: '', after: 0, onChange: ({ key }) => seen.push(key) });
    await remote.put('a', 1);
    await expect.poll(() => seen, { timeout: 15_000 }).toEqual(['a']);
    await remote.close();
    const stranger = await RemoteStore.open({ url, tls: loadCredentials({ ...foreign, ca: ca.ca }) });
    expect(stranger.health).toMatchObject({
      connected: false,
      reason: expect.stringContaining('has expired or is of another CA'),
    });
    await stranger.close();
    await store.close();
  });
});
