/** Client commands against a daemon elsewhere: where it is, what proves who asks, and what to do when that fails. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Route } from '../../../src/control/api/routes.js';
import type { ApiServer } from '../../../src/control/api/server.js';
import { Bench } from '../../support/api-server.js';
import { CertificateMaker, missingForCertificates } from '../../support/certificates.js';
import { podwire } from './support.js';

const missing = missingForCertificates();
if (missing) console.log(`skipped: certificates are made by ${missing}`);

const ANSWER = { total: 0, drops: [] };
const routes: Route[] = [
  { method: 'GET', path: '/v1/drops', summary: '', answer: 'Drops', handle: () => ({ body: ANSWER }) },
];

let bench: Bench;
let plain: ApiServer;
let url: string;

beforeAll(async () => {
  bench = new Bench();
  plain = await bench.serve(routes);
  url = `http://127.0.0.1:${plain.port}`;
});
afterAll(() => {
  plain.close();
  bench.close();
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('PODWIRE_')) delete process.env[name];
});

const drops = (...words: string[]) => podwire('drops', '-o', 'json', ...words);

describe('--server', () => {
  it('asks there, with the token', async () => {
    const { out, status } = await drops('--server', url, '--token-file', bench.tokenFile);
    expect({ answer: JSON.parse(out), status }).toEqual({ answer: ANSWER, status: 0 });
  });

  it('is PODWIRE_SERVER in the environment, and a --socket on the command line counts for more', async () => {
    process.env.PODWIRE_SERVER = url;
    process.env.PODWIRE_TOKEN_FILE = bench.tokenFile;
    expect((await drops()).status).toBe(0);
    process.env.PODWIRE_SOCKET = bench.path('nobody');
    expect((await drops()).status).toBe(0);
    expect((await drops('--socket', bench.path('nobody'))).err).toContain(
      'DAEMON_UNREACHABLE: there is no socket',
    );
    process.env.PODWIRE_SERVER = 'http://127.0.0.1:1';
    expect((await drops('--server', url)).status).toBe(0);
    expect((await drops('--socket', bench.socket)).status).toBe(0);
  });

  it.each([
    [['--server', 'k1:7443'], "INVALID: --server: 'k1:7443' is no URL like https://10.0.0.1:7443", 2],
    [['--server', 'http://k1', '--socket', 'x'], 'USAGE: --socket and --server contradict each other', 2],
    [['--token-file', 'x'], 'USAGE: --token-file: is for --server, which is missing', 2],
    [['--server', 'https://k1', '--tls-cert', 'x'], 'INVALID: --tls-key: is missing beside --tls-cert', 2],
    [['--server', 'https://k1', '--tls-ca', '/nowhere'], 'TLS_FAILED: /nowhere: ENOENT', 2],
    [
      ['--server', 'http://k1', '--token-file', '/nowhere'],
      'INVALID: --token-file: cannot be read: ENOENT',
      2,
    ],
    [
      ['--server', 'http://127.0.0.1:1'],
      'DAEMON_UNREACHABLE: nobody listens at http://127.0.0.1:1; start',
      1,
    ],
    [
      ['--server', 'http://name.invalid'],
      'DAEMON_UNREACHABLE: the name in http://name.invalid is not known',
      1,
    ],
  ])('%j: %s', async (words, message, status) => {
    const { err, out, status: got } = await drops(...words);
    expect(err).toContain(`error: ${message}`);
    expect({ out, got, lines: err.trim().split('\n').length }).toEqual({ out: '', got: status, lines: 1 });
  });

  it('says which token is missing or wrong, and where it belongs', async () => {
    expect((await drops('--server', url)).err).toBe(
      'error: UNAUTHORIZED: no bearer token was given: send the one in the daemon’s --token-file\n',
    );
    const wrong = bench.file('wrong', 'wrong');
    expect(await drops('--server', url, '--token-file', wrong)).toMatchObject({
      err: expect.stringContaining('error: UNAUTHORIZED: the bearer token is wrong'),
      status: 1,
    });
  });

  it('is refused by commands that run on this machine', async () => {
    for (const command of ['daemon', 'demo']) {
      expect(await podwire(command, '--server', url)).toMatchObject({
        err: `error: USAGE: --server: ${command} runs on this machine\n`,
        status: 2,
      });
    }
  });

  it.skipIf(missing)('takes https with a client certificate', async () => {
    const other = new Bench();
    const ca = new CertificateMaker(other.directory);
    const [own, client] = [ca.issue(), ca.issue()];
    const server = await other.serve(routes, { tls: own });
    const secure = `https://127.0.0.1:${server.port}`;
    const certificate = ['--tls-cert', client.cert, '--tls-key', client.key, '--tls-ca', client.ca];
    expect((await drops('--server', secure, ...certificate)).status).toBe(0);
    expect((await drops('--server', secure, '--tls-ca', client.ca)).err).toContain(
      `error: TLS_FAILED: ${secure} wants a client certificate; give one with --tls-cert and --tls-key`,
    );
    server.close();
    other.close();
  });
});
