/**
 * A virtual machine in QEMU, which an ordinary user runs: Debian's kernel and its virtio_net, over both families.
 *
 *     pod a: eth0, httpd ── switch ── packet socket ── host: vm0 ══ QEMU, as user 41003 ── guest: eth0, httpd
 */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttachAnswer } from '../../src/control/api/types.js';
import { type GuestImage, guestImageMissing, makeGuestImage } from '../support/guest-image.js';
import { missingPrograms } from '../support/netns-programs.js';
import { DaemonBench, missingForDaemon, type RunningDaemon, until } from './daemon-support.js';

const missing =
  missingForDaemon() ?? missingPrograms('qemu-system-x86_64', 'curl', 'find') ?? guestImageMissing();
if (missing) console.log(`skipped: a virtual machine in QEMU needs ${missing}`);

const OWNER = 41_003;
const FILE = Buffer.from('podwire\n'.repeat(131_072));
const SHA = createHash('sha256').update(FILE).digest('hex');
/** It boots in seven seconds where nobody else wants the processor. */
const BOOT_MS = 150_000;

describe.skipIf(missing)('a virtual machine in QEMU', () => {
  let bench: DaemonBench;
  let daemon: RunningDaemon;
  let image: GuestImage;
  let server: ChildProcessByStdio<null, null, null> | undefined;
  let machine: ChildProcessByStdio<null, Readable, Readable> | undefined;
  let said = '';

  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    daemon = await bench.start();
    const directory = join(bench.directory, 'machine');
    mkdirSync(directory);
    image = makeGuestImage(directory);
    execFileSync('chmod', ['755', bench.directory]);
  });
  afterAll(async () => {
    for (const child of [machine, server]) {
      if (!child || child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'close');
      child.kill('SIGKILL');
      await ended;
    }
    await bench.cleanup();
  });

  function serve(): void {
    const folder = join(bench.directory, 'www');
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), FILE);
    const words = [`--net=${bench.path('a')}`, 'busybox', 'httpd', '-f', '-p', '8080', '-h', folder];
    server = spawn('nsenter', words, { stdio: 'ignore' }) as ChildProcessByStdio<null, null, null>;
  }

  function boot(vm: AttachAnswer, pod: AttachAnswer): void {
    const [ip4, ip6] = [`${vm.ips[0]}/24`, `${vm.ips[1]}/64`];
    const [gw4, gw6] = vm.gateway;
    const facts = { ip4, ip6, gw4, gw6, pod4: pod.ips[0], pod6: pod.ips[1], mtu: vm.mtu };
    const words = Object.entries(facts).map(([name, value]) => `${name}=${value}`);
    const user = ['setpriv', `--reuid=${OWNER}`, `--regid=${OWNER}`, '--clear-groups'];
    const qemu = [
      'qemu-system-x86_64',
      '-machine',
      'q35,accel=tcg',
      '-cpu',
      'max',
      '-m',
      '256',
      '-nodefaults',
    ];
    const console = ['-no-user-config', '-display', 'none', '-serial', 'stdio', '-no-reboot'];
    const kernel = ['-kernel', image.kernel, '-initrd', image.initrd];
    const append = ['-append', `console=ttyS0 quiet panic=-1 ${words.join(' ')}`];
    const tap = ['-netdev', `tap,id=n0,ifname=${vm.tap},script=no,downscript=no,vhost=off`];
    const card = ['-device', `virtio-net-pci,netdev=n0,mac=${vm.mac},host_mtu=${vm.mtu},romfile=`];
    const args = [
      `--net=${bench.path('host')}`,
      ...user,
      ...qemu,
      ...console,
      ...kernel,
      ...append,
      ...tap,
      ...card,
    ];
    machine = spawn('nsenter', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [machine.stdout, machine.stderr])
      stream.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
  }

  const fetched = (url: string): string => {
    const words = ['netns', 'exec', bench.name('a'), 'curl', '-sg', '--max-time', '60', url];
    return createHash('sha256')
      .update(execFileSync('ip', words, { maxBuffer: 1 << 24 }))
      .digest('hex');
  };

  it('reaches a pod and is reached by it, over IPv4 and IPv6, and when the daemon is killed meanwhile', async () => {
    const pod = await bench.pod('a');
    serve();
    const body = { netns: undefined, tap: 'vm0', tapOwner: OWNER };
    const { body: vm } = await bench.attach('vm', body);
    boot(vm, pod);
    const isReady = () => /^ready/m.test(said) || machine!.exitCode !== null;
    expect([await until(isReady, BOOT_MS), said]).toEqual([true, expect.stringContaining('ready')]);
    for (const line of [`mac ${vm.mac}`, `ping ${pod.ips[0]}`, `ping ${pod.ips[1]}`, `fetched ${SHA}`])
      expect(said).toContain(line);
    const [ip4, ip6] = vm.ips;
    expect(await bench.ping('host', ip4)).toBe(true);
    expect(fetched(`http://${ip4}/file`)).toBe(SHA);
    expect(fetched(`http://[${ip6}]/file`)).toBe(SHA);

    await bench.end(daemon, 'SIGKILL');
    daemon = await bench.start();
    expect(await until(() => bench.ping('a', ip4))).toBe(true);
    expect(fetched(`http://${ip4}/file`)).toBe(SHA);
    expect(machine!.exitCode).toBe(null);
  });
});
