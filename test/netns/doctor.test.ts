/**
 * The built `podwire doctor` over real paths (path-mtu-support.ts), beside a daemon that is an API of the test's
 * own: what it says of its tunnel is the test's, what the doctor measures is real.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadRawSocket } from '../../src/control/host/icmp-echo.js';
import { runIn, spawnIn } from '../support/netns-programs.js';
import { isRoot } from './linux-support.js';
import { A, B, narrowPath } from './path-mtu-support.js';

const PROGRAM = fileURLToPath(new URL('../../bin/podwire', import.meta.url));
const raw = await loadRawSocket();
if (typeof raw === 'string') console.log(`skipped: ${raw}`);

interface Finding {
  readonly name: string;
  readonly state: string;
  readonly found: string;
  readonly fix?: string;
}

async function doctor(namespace: string, ...words: string[]): Promise<Map<string, Finding>> {
  const { text } = await runIn(namespace, process.execPath, PROGRAM, 'doctor', '-o', 'json', ...words);
  const json = text.slice(0, text.lastIndexOf('}') + 1);
  const { checks } = JSON.parse(json) as { checks: Finding[] };
  return new Map(checks.map((finding) => [finding.name, finding]));
}

/** A socket on which a daemon says this of itself. */
async function daemonThatSays(status: object): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-doctor-'));
  const socket = join(folder, 'api.sock');
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/v1/status' ? 200 : 404);
    response.end(
      JSON.stringify(request.url === '/v1/status' ? status : { error: { code: 'NOT_FOUND', message: '' } }),
    );
  });
  server.listen(socket);
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return socket;
}

function status(state: string, pid: number): object {
  return {
    ...{ node: 'a', ready: true, io: 'poll', ioReason: '', pods: 0, mtu: 1450, version: '0', pid },
    ...{ clusterCIDRs: ['10.244.0.0/16'], underlay: A[4] },
    peers: [{ name: 'b', address: B[4], state, rttMicros: state === 'up' ? 300 : null }],
    store: { kind: 'embedded', connected: true, since: '2030-01-01T00:00:00Z', reason: null },
  };
}

/** A process with the tunnel's port in the namespace. */
async function portHolder(namespace: string): Promise<number> {
  const script = `require('node:dgram').createSocket('udp4').bind(4789, '${A[4]}', () => console.log('bound'))`;
  const child = spawnIn(namespace, process.execPath, '-e', script);
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout!, 'data');
  return child.pid!;
}

describe.skipIf(!isRoot || typeof raw === 'string')(
  'podwire doctor among nodes [needs root, raw-socket]',
  () => {
    it('finds a whole path fine, and the port free, before there is a daemon', async () => {
      const { a } = await narrowPath(1500);
      const found = await doctor(
        a,
        '--socket',
        '/nowhere',
        '--underlay',
        A[4],
        '--peer',
        B[4],
        '--peer',
        B[6],
      );
      expect(found.get('underlay')).toMatchObject({
        state: 'ok',
        found: `${A[4]} on wire, MTU 1500: 1450 for pods`,
      });
      expect(found.get('tunnel port')).toMatchObject({ state: 'ok', found: 'UDP 4789 is free' });
      expect(found.get(`peer ${B[4]}`)).toMatchObject({
        state: 'ok',
        found: expect.stringContaining('path MTU 1500'),
      });
    });

    it('finds a black hole, over IPv6', async () => {
      const { a, makeMute } = await narrowPath(1400);
      makeMute();
      const found = await doctor(a, '--socket', '/nowhere', '--underlay', A[6], '--peer', B[6]);
      expect(found.get(`peer ${B[6]}`)).toMatchObject({
        state: 'warning',
        found: expect.stringContaining('path MTU 1400'),
        fix: expect.stringContaining('packets over 1400 bytes vanish'),
      });
    });

    it('tells a filtered tunnel from a dead host, and whose the port is', async () => {
      const { a } = await narrowPath(1500);
      const pid = await portHolder(a);
      const filtered = await doctor(a, '--socket', await daemonThatSays(status('down', pid)));
      expect(filtered.get('peer b')?.fix).toContain('UDP port 4789 is filtered on the way or at b');
      expect(filtered.get('tunnel port')).toMatchObject({ state: 'ok', found: "UDP 4789 is the daemon's" });
      expect(filtered.get('store')?.state).toBe('ok');
      const other = await doctor(a, '--socket', await daemonThatSays(status('up', 1)));
      expect(other.get('peer b')?.state).toBe('ok');
      expect(other.get('tunnel port')).toMatchObject({
        state: 'failed',
        found: `UDP 4789 is taken by node (process ${pid})`,
      });
      const dead = {
        ...status('down', pid),
        peers: [{ name: 'c', address: '10.77.2.99', state: 'down', rttMicros: null }],
      };
      const silent = await doctor(a, '--socket', await daemonThatSays(dead));
      expect(silent.get('peer c')?.fix).toContain('neither ICMP nor the tunnel answers');
    });

    it("names the kernel's vxlan device that has the port", async () => {
      const { a } = await narrowPath(1500);
      const device = [
        'link',
        'add',
        'vx0',
        'type',
        'vxlan',
        'id',
        '7',
        'dstport',
        '4789',
        'local',
        A[4],
        'dev',
        'wire',
      ];
      await runIn(a, 'ip', ...device);
      await runIn(a, 'ip', 'link', 'set', 'dev', 'vx0', 'up');
      const found = await doctor(a, '--socket', '/nowhere', '--underlay', A[4]);
      expect(found.get('tunnel port')?.found).toBe("UDP 4789 is taken by the kernel's vxlan device vx0");
    });

    it('says that an address is not here', async () => {
      const { a } = await narrowPath(1500);
      const found = await doctor(a, '--socket', '/nowhere', '--underlay', '192.0.2.1');
      expect(found.get('underlay')).toMatchObject({
        state: 'failed',
        found: 'no interface here has 192.0.2.1',
      });
    });
  },
);
