/**
 * podwire where it is deployed: from the package that npm installs, and in a container's mounts.
 *
 *     npm pack ─► npm install --global --prefix DIR ─► DIR/bin/podwire daemon, in a namespace
 */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { DaemonBench, missingForDaemon, until } from './daemon-support.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MINUTES = 60_000;
const missing = missingForDaemon();
if (missing !== undefined) console.log(`skipped: what is deployed needs ${missing}`);

/** What npm says where there is no registry. */
const NO_REGISTRY = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENOTCACHED|ENETUNREACH/;

interface Packed {
  readonly filename: string;
  readonly files: { readonly path: string }[];
}

/** The build is the one that the tests run with; prepack would make another in its place. */
function pack(folder: string): Packed {
  const run = npm(ROOT, 'pack', '--ignore-scripts', '--json', '--pack-destination', folder);
  return (JSON.parse(run.stdout) as [Packed])[0];
}

function npm(cwd: string, ...words: string[]): SpawnSyncReturns<string> {
  return spawnSync('npm', words, { cwd, encoding: 'utf8', timeout: 3 * MINUTES });
}

function newBench(): DaemonBench {
  const bench = new DaemonBench();
  onTestFinished(() => bench.cleanup());
  return bench;
}

/** Installs as users do, scripts apart: they compile raw-socket, which is optional. */
function install(context: TestContext, tarball: string, prefix: string): void {
  const flags = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  const run = npm('/', 'install', '--global', '--prefix', prefix, ...flags, tarball);
  if (run.status === 0) return;
  context.skip(NO_REGISTRY.test(run.stderr), 'no npm registry can be reached');
  throw new Error(run.stderr);
}

describe.skipIf(missing !== undefined)('the package [needs root]', () => {
  it('has what runs and what is read, and nothing that only builds or tests', () => {
    const paths = pack(newBench().directory).files.map(({ path }) => path);
    for (const path of [
      'bin/podwire',
      'bin/podwire-cni',
      'dist/src/bundle/podwire.js',
      'dist/src/bundle/worker.js',
      'dist/src/cni/bundle.js',
      'LICENSE',
    ]) {
      expect(paths).toContain(path);
    }
    expect(paths).toContain('deploy/systemd/podwire.service');
    expect(paths).toContain('deploy/kubernetes/podwire.yaml');
    const stray = paths.filter((path) =>
      /^(test|bench|fixtures|scripts|src|dist\/(?!src\/))|\.map$|(?<!\.d)\.ts$/.test(path),
    );
    expect(stray).toEqual([]);
  });

  it('installs elsewhere and runs there: a daemon, a pod, the plugin', {
    timeout: 4 * MINUTES,
  }, async (context) => {
    const bench = newBench();
    bench.namespace('host');
    bench.namespace('web');
    const prefix = join(bench.directory, 'prefix');
    install(context, join(bench.directory, pack(bench.directory).filename), prefix);
    const program = join(prefix, 'bin', 'podwire');
    expect(spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout).toMatch(/^podwire \d/);
    const words = ['daemon', '--name', 'n1', '--data', bench.data, '--socket', bench.socket];
    const daemon = spawn('nsenter', [`--net=${bench.path('host')}`, program, ...words], { stdio: 'ignore' });
    onTestFinished(() => void daemon.kill('SIGKILL'));
    expect(await until(() => existsSync(bench.socket), MINUTES)).toBe(true);
    expect(await bench.attach('web')).toMatchObject({ status: 200 });
    const { address } = { address: bench.link('web')!.addr_info[0]!.local };
    expect(address).toMatch(/^10\.244\./);
    const plugin = spawnSync(join(prefix, 'bin', 'podwire-cni'), {
      input: '{"cniVersion":"1.0.0"}',
      encoding: 'utf8',
      env: { ...process.env, CNI_COMMAND: 'VERSION' },
    });
    expect(JSON.parse(plugin.stdout).supportedVersions).toContain('1.1.0');
  });
});

describe.skipIf(missing !== undefined)("a container's mounts [needs root]", () => {
  it('show the daemon namespaces that come and go on the host (mountPropagation HostToContainer)', async () => {
    const bench = newBench();
    bench.namespace('host');
    await bench.start([], 'host', ['unshare', '--mount', '--propagation', 'slave']);
    const { ips } = await bench.pod('web');
    await bench.pod('db');
    expect(await bench.ping('db', ips[0]!)).toBe(true);
    bench.deleteNamespace('web');
    expect(await until(() => bench.logged('pod detached').length === 1, 30_000)).toBe(true);
    expect(existsSync(bench.path('web'))).toBe(false);
  });
});
