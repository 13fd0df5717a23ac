/**
 * `podman run -p` on a node of two: podwire publishes the port, as its plugin is installed by default, and the container's server sees
 * its clients' own addresses: those of pods of both nodes and of the outside (services-support.ts has the picture).
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from './daemon-support.js';
import { missingForRuntimes } from './runtimes/missing.js';
import { PodmanHost } from './runtimes/podman.js';
import { CURL, FAMILIES, host, missingForServices, OUTSIDE, ServiceWorld } from './services-support.js';

const missing = missingForServices ?? missingForRuntimes('podman');
if (missing) console.log(`skipped: published ports of podman need ${missing}`);

/** busybox's server writes who asks: `[::ffff:192.0.2.1]:port: response:200`. */
const SERVE = "echo 'web web' > /www/index.html; exec httpd -f -v -p 80 -h /www 2>/www/log";

describe.skipIf(missing)(`podman run -p${missing ? ` [${missing}]` : ''}`, { timeout: 180_000 }, () => {
  let world: ServiceWorld;
  let podman: PodmanHost | undefined;
  beforeAll(async () => {
    world = await ServiceWorld.start();
    const { bench } = world.k1;
    podman = await PodmanHost.start({
      netns: bench.path('host'),
      socket: bench.socket,
      networks: [{ name: 'pods' }],
    });
    await world.pod(world.k1, 'client');
    await world.pod(world.k2, 'other');
    await podman.run('web', ['--publish', '18080:80'], 'sh', '-c', SERVE);
    const url = `http://${world.address('k1', 4)}:18080/`;
    expect(await until(async () => (await world.get('client', url)).name === 'web')).toBe(true);
  }, 180_000);
  afterAll(async () => {
    await podman?.cleanup();
    await world?.cleanup();
  }, 120_000);

  it.each(FAMILIES)(
    'answers pods of both nodes, the nodes and the outside, and sees who they are: IPv%i',
    async (family) => {
      const url = `http://${host(world.address('k1', family))}:18080/`;
      for (const client of ['client', 'other', 'outside', 'k1', 'k2']) {
        expect((await world.get(client, url)).name, client).toBe('web');
      }
      if (family === 4) expect((await world.get('k1', 'http://127.0.0.1:18080/')).name).toBe('web');
      const log = await podman?.exec('web', 'cat', '/www/log');
      for (const address of [world.address('client', family), OUTSIDE[family]])
        expect(log).toContain(address);
      // Of a node's addresses others know that of the underlay: pods come to the rest through their host.
      if (family === 4) expect(log).toContain(world.address('other', 4));
    },
  );

  it('is refused once the container is gone, and shown until then', async () => {
    expect(world.cli(world.k1, 'ports')).toMatch(/18080/);
    await podman?.remove('web');
    const url = `http://${world.address('k1', 4)}:18080/`;
    expect((await world.get('outside', url)).status).toBe(CURL.REFUSED);
  });
});
