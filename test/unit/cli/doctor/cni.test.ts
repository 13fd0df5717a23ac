/** What the doctor says of folders as a runtime reads them, with the real plugin, beside a daemon's API that the test plays. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { cni } from '../../../../src/cli/doctor/cni.js';
import { fakeApi, podwire } from '../support.js';

let root: string;
let places: { confDir: string; binDirs: string[] };
const confDir = () => join(root, 'net.d');
const binDir = () => join(root, 'bin');

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'podwire-doctor-cni-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  places = { confDir: confDir(), binDirs: [join(root, 'none'), binDir()] };
  for (const folder of [confDir(), binDir()]) mkdirSync(folder);
});

function program(folder: string, name: string): void {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\necho '{"supportedVersions":["1.0.0"]}'\n`);
  chmodSync(path, 0o755);
}

async function install(...words: string[]): Promise<void> {
  const folders = ['--bin-dir', binDir(), '--conf-dir', confDir()];
  const { status } = await podwire('install-cni', ...folders, '--no-wait', ...words);
  expect(status).toBe(0);
}

/** `state name: found` */
async function found(forwards = true): Promise<string[]> {
  const findings = await cni(places, () => forwards);
  return findings.map(({ state, name, found: text }) => `${state} ${name}: ${text}`);
}

const status = (network: string) => `GET /v1/cni/status?network=${network}`;

describe('the doctor on CNI', () => {
  it('has no more than a line where nothing is installed, and no folder is needed', async () => {
    expect(await found()).toEqual([expect.stringMatching(/^ok CNI: nothing of podwire in /)]);
    places = { confDir: join(root, 'a'), binDirs: [join(root, 'b')] };
    expect(await found()).toEqual([expect.stringMatching(/^ok CNI: nothing of podwire in /)]);
  });

  it('finds fine what install-cni has made, while the daemon answers', async () => {
    program(binDir(), 'portmap');
    program(binDir(), 'iptables');
    vi.stubEnv('PATH', `${binDir()}:${process.env.PATH}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { socket } = await fakeApi({ [status('default')]: { body: { ready: true } } });
    await install('--socket', socket, '--portmap', 'on');
    expect(await found()).toEqual([
      `ok CNI plugin: ${binDir()}/podwire-cni speaks CNI up to 1.1.0`,
      `ok CNI conflist: ${confDir()}/10-podwire.conflist (podwire-cni, portmap)`,
      `ok CNI daemon: containers can join default through ${socket}`,
      'ok published ports: portmap has iptables, and the kernel forwards',
    ]);
    expect((await found(false)).at(-1)).toMatch(/^warning published ports: answer on this host only/);
    vi.stubEnv('PATH', '/nowhere');
    expect((await found()).at(-1)).toBe(
      'warning published ports: portmap needs iptables, which is not there',
    );
    rmSync(join(binDir(), 'portmap'));
    expect(await found()).toContain(
      `warning CNI chain: ${binDir()} has no portmap, which a conflist names: no container starts`,
    );
  });

  it('says what is in the way of containers', async () => {
    const { socket } = await fakeApi({
      [status('gone')]: {
        status: 404,
        body: { error: { code: 'NOT_FOUND', message: 'there is no network gone' } },
      },
    });
    await install('--socket', socket, '--network', 'gone', '--portmap', 'off');
    await install(
      '--socket',
      join(root, 'none.sock'),
      '--name',
      'two',
      '--conf-name',
      '20-two.conflist',
      '--portmap',
      'off',
    );
    writeFileSync(join(confDir(), '05-bridge.conf'), '{"name":"b","type":"bridge"}');
    writeFileSync(join(confDir(), '04-broken.conflist'), '{');
    writeFileSync(join(confDir(), '03-empty.conflist'), '{"plugins":[]}');
    writeFileSync(join(binDir(), 'podwire-cni'), '#!/bin/sh\nexit 3\n');
    const first = `${confDir()}/10-podwire.conflist`;
    expect(await found()).toEqual([
      expect.stringContaining(`warning CNI plugin: ${binDir()}/podwire-cni does not answer CNI's VERSION`),
      `warning CNI conflist: ${confDir()}/03-empty.conflist names no plugin: runtimes refuse it`,
      `warning CNI conflist: ${confDir()}/04-broken.conflist is not JSON: runtimes refuse it`,
      `warning CNI conflist: ${confDir()}/05-bridge.conf comes before ${first}`,
      'warning CNI daemon: no container can join gone: there is no network gone',
      expect.stringContaining(
        `warning CNI daemon: no container can join default: there is no socket ${root}`,
      ),
    ]);
    rmSync(join(binDir(), 'podwire-cni'));
    expect(await found()).toContain(`warning CNI plugin: no podwire-cni in ${root}/none or ${binDir()}`);
  });
});
