/**
 * What the daemon tells a service manager. systemd is the judge of the unit file; of the datagrams it is Python, whose
 * sockets are not ours. Abstract names belong to a network namespace, so it is in the daemon's.
 *
 *     judge (unix datagram socket) ◄── podwire daemon, both in a namespace
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DaemonBench, missingForDaemon, until } from './daemon-support.js';

const UNIT = fileURLToPath(new URL('../../deploy/systemd/podwire.service', import.meta.url));

/** Writes each datagram as a line with the process that sent it, as the kernel says (SCM_CREDENTIALS). */
const JUDGE = `
import socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1].replace('@', chr(0)))
print('bound', flush=True)
while True:
    text, rest, _, _ = s.recvmsg(4096, 256)
    pid = struct.unpack('iii', rest[0][2])[0]
    print(pid, repr(text.decode()), flush=True)
`;

const missing = missingForDaemon() ?? (has('python3') ? undefined : 'the program python3');
if (missing !== undefined) console.log(`skipped: telling the service manager needs ${missing}`);

function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

describe.skipIf(missing !== undefined)('a service manager [needs root]', () => {
  it.each([['a path'], ['an abstract name']])(
    'is told at %s when the daemon is ready and when it stops',
    async (kind) => {
      const bench = new DaemonBench();
      onTestFinished(() => bench.cleanup());
      bench.namespace('host');
      const socket = kind === 'a path' ? join(bench.directory, 'notify') : `@${bench.name('notify')}`;
      const judge = spawn('nsenter', [`--net=${bench.path('host')}`, 'python3', '-c', JUDGE, socket], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      onTestFinished(() => void judge.kill('SIGKILL'));
      let heard = '';
      judge.stdout.on('data', (data: Buffer) => {
        heard += data.toString();
      });
      expect(await until(() => heard.includes('bound'), 20_000)).toBe(true);
      const running = await bench.start([], 'host', ['env', `NOTIFY_SOCKET=${socket}`]);
      expect(await until(() => heard.includes('READY'), 20_000)).toBe(true);
      // nsenter becomes the daemon, so the pid is the one that the manager started.
      expect(heard).toContain(`${running.pid} 'READY=1\\nSTATUS=n1 forwards\\n'`);
      expect(await bench.end(running, 'SIGTERM')).toBe(0);
      expect(await until(() => heard.includes('STOPPING'), 20_000)).toBe(true);
      expect(heard).toContain(`${running.pid} 'STOPPING=1\\nSTATUS=interfaces of pods stay\\n'`);
    },
  );

  it('that does not listen costs a line, not the daemon', async () => {
    const bench = new DaemonBench();
    onTestFinished(() => bench.cleanup());
    bench.namespace('host');
    const running = await bench.start([], 'host', ['env', `NOTIFY_SOCKET=${bench.directory}/none`]);
    expect(await until(() => bench.log.includes('error: HOST_FAILED: sendto'))).toBe(true);
    expect(await bench.end(running, 'SIGTERM')).toBe(0);
  });

  it('gives capabilities that are enough to attach by name and by process', async () => {
    const bench = new DaemonBench();
    onTestFinished(() => bench.cleanup());
    bench.namespace('host');
    const names = /^CapabilityBoundingSet=(.*)$/m.exec(readFileSync(UNIT, 'utf8'))![1]!.split(' ');
    const set = names.map((name) => `+${name.replace('CAP_', '').toLowerCase()}`).join(',');
    await bench.start([], 'host', ['setpriv', '--no-new-privs', `--bounding-set=-all,${set}`]);
    await bench.pod('web');
    const other = spawn('unshare', ['-n', 'sleep', '120'], { stdio: 'ignore' });
    onTestFinished(() => void other.kill('SIGKILL'));
    expect(await until(() => ownNamespace(other.pid!))).toBe(true);
    const answer = await bench.attach('box', { netns: `/proc/${other.pid}/ns/net` });
    expect(answer).toMatchObject({ status: 200 });
    expect(await bench.ping('web', answer.body.ips[0]!)).toBe(true);
  });
});

function ownNamespace(pid: number): boolean {
  const [own, its] = ['self', pid].map((who) =>
    execFileSync('readlink', [`/proc/${who}/ns/net`], { encoding: 'utf8' }),
  );
  return own !== its;
}

describe.skipIf(!has('systemd-analyze'))('the unit file', () => {
  it('is what systemd understands', () => {
    const run = spawnSync('systemd-analyze', ['verify', '--man=no', UNIT], { encoding: 'utf8' });
    expect({ text: `${run.stdout}${run.stderr}`, status: run.status }).toEqual({ text: '', status: 0 });
  });

  it('would be refused with a word that systemd does not know', () => {
    const path = `/tmp/podwire-unit-${process.pid}.service`;
    writeFileSync(path, readFileSync(UNIT, 'utf8').replace('Restart=on-failure', 'Restart=sometimes'));
    onTestFinished(() => rmSync(path));
    const run = spawnSync('systemd-analyze', ['verify', '--man=no', path], { encoding: 'utf8' });
    expect(`${run.stdout}${run.stderr}`).toContain('sometimes');
  });
});
