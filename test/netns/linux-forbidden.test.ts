/**
 * What a process meets that lacks a privilege or the device: each case runs in a child process from dist/, with
 * the capability really dropped or /dev/net really empty.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { freshNamespace, isRoot } from './linux-support.js';

const dist = new URL('../../dist/src/linux/', import.meta.url);
const built = existsSync(fileURLToPath(new URL('tun.js', dist)));
if (!built) console.log('skipped: the child processes run from dist/, npm run build makes it');

/** Runs `body` with the exports of src/linux in scope, behind a command that takes something away. */
function run(before: string[], body: string) {
  const program = `
    const modules = ['tun.js', 'netns.js'].map((name) => import(new URL(name, '${dist}')));
    const { openTap, withNamespace, namespaceIdentity } = Object.assign({}, ...(await Promise.all(modules)));
    const fs = await import('node:fs');
    try { ${body}; console.log('done'); } catch (error) { console.log(error.code + ': ' + error.message); }`;
  const [command, ...args] = [...before, process.execPath, '--input-type=module', '-e', program];
  const { stdout, stderr, signal } = spawnSync(command!, args, { encoding: 'utf8' });
  return { stdout: stdout.trim(), stderr, signal };
}

const without = (...capabilities: string[]) => [
  'setpriv',
  '--bounding-set',
  capabilities.map((c) => `-${c}`).join(),
];

describe.skipIf(!isRoot || !built)('without', () => {
  it('CAP_NET_ADMIN there is no TAP', () => {
    const { stdout } = run(without('net_admin'), "openTap({ name: 'podwire-x', mode: 'create' })");
    expect(stdout).toMatch(/^TUN_FORBIDDEN: ioctl TUNSETIFF podwire-x: EPERM: .*CAP_NET_ADMIN/);
  });

  it('CAP_SYS_ADMIN there is no way into a namespace', () => {
    const { stdout } = run(without('sys_admin'), `withNamespace('${freshNamespace()}', () => {})`);
    expect(stdout).toMatch(/^NETNS_FORBIDDEN: .*setns podwire-.*: EPERM: .*CAP_SYS_ADMIN/);
  });

  it('/dev/net/tun one is told how to get it', () => {
    const emptyDevNet = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /dev/net && exec "$@"', 'sh'];
    const { stdout } = run(emptyDevNet, "openTap({ name: 'podwire-x', mode: 'create' })");
    expect(stdout).toMatch(/^TUN_UNAVAILABLE: \/dev\/net\/tun does not exist: .*modprobe tun.*mknod/);
  });

  it('a way home the process aborts, and says why', () => {
    const closeHome = `
      const home = fs.readlinkSync('/proc/thread-self/ns/net');
      withNamespace('${freshNamespace()}', () => {
        for (const fd of fs.readdirSync('/proc/self/fd')) {
          let target = '';
          try { target = fs.readlinkSync('/proc/self/fd/' + fd); } catch {}
          if (target === home) fs.closeSync(Number(fd));
        }
      })`;
    const { stdout, stderr, signal } = run([], closeHome);
    expect(stdout).toBe('');
    expect(stderr).toContain(
      "podwire: cannot leave a pod's network namespace (setns /proc/thread-self/ns/net: EBADF",
    );
    expect(signal).toBe('SIGABRT');
  });
});
