/** The subjects of `node.*`: podwire itself and what it is compared with. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { end, has, run, startUntil } from '../shell.js';
import { configure, INTERFACE, macOf, makeNamespaces, type Path, type Subject } from './path.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const PROGRAM = join(ROOT, 'bin/podwire');

/** A podwire daemon in a namespace of its own, with two attached pods: one bridge hop, source guard on. */
export function podwire(flags: readonly string[] = []): Subject {
  return {
    name: 'podwire',
    absent: () => undefined,
    async open(): Promise<Path> {
      const pods = makeNamespaces();
      const node = `${pods.a}-node`;
      run('ip', ['netns', 'add', node]);
      const folder = mkdtempSync(join(tmpdir(), 'podwire-bench-'));
      const socket = join(folder, 'api.sock');
      const where = ['--data', join(folder, 'data'), '--socket', socket, '--pod-cidr', '10.9.0.0/24'];
      const daemon = await startUntil(
        'ip',
        ['netns', 'exec', node, process.execPath, PROGRAM, 'daemon', '--name', 'bench', ...where, ...flags],
        '"ready"',
      );
      const attach = (pod: string, namespace: string): Path['a'] => {
        const args = ['attach', pod, '--netns', namespace, '--ifname', INTERFACE, '--socket', socket];
        const { ips } = JSON.parse(run(process.execPath, [PROGRAM, ...args])) as { ips: string[] };
        return { namespace, address: ips[0].split('/')[0], mac: macOf(namespace) };
      };
      return {
        a: attach('a', pods.a),
        b: attach('b', pods.b),
        pin: (processors) => pinAll(daemon.pid!, processors),
        async close() {
          await end(daemon);
          pods.remove();
          run('ip', ['netns', 'del', node]);
          rmSync(folder, { recursive: true, force: true });
        },
      };
    },
  };
}

/** A Linux bridge with two veth pairs, in a namespace of its own. */
export const linuxBridge: Subject = {
  name: 'linux-bridge',
  absent: () => undefined,
  async open(): Promise<Path> {
    const pods = makeNamespaces();
    const node = `${pods.a}-node`;
    run('ip', ['netns', 'add', node]);
    run('ip', ['-n', node, 'link', 'add', 'br0', 'type', 'bridge']);
    run('ip', ['-n', node, 'link', 'set', 'br0', 'up']);
    for (const [port, namespace] of [pods.a, pods.b].entries()) {
      const outer = `v${port}`;
      const veth = ['link', 'add', outer, 'type', 'veth', 'peer', 'name', INTERFACE, 'netns', namespace];
      run('ip', ['-n', node, ...veth]);
      run('ip', ['-n', node, 'link', 'set', outer, 'master', 'br0', 'up']);
    }
    return {
      a: configure(pods.a, 1),
      b: configure(pods.b, 2),
      pin: () => {},
      async close() {
        pods.remove();
        run('ip', ['netns', 'del', node]);
      },
    };
  },
};

const REFLECTOR_SOURCE = join(ROOT, 'bench/baseline/uring-reflect.c');
const REFLECTOR = join(ROOT, 'bench/baseline/bin/uring-reflect');

/** The limit of TAP I/O in user space: C that hands packets from one TAP to the other and looks at none. */
export const cReflector: Subject = {
  name: 'c-uring-reflect',
  absent: () => {
    if (!has('cc')) return 'no C compiler (cc)';
    return existsSync('/usr/include/liburing.h') ? undefined : 'liburing-dev is not installed';
  },
  async open(): Promise<Path> {
    compile();
    const pods = makeNamespaces();
    const netns = (name: string): string => `/run/netns/${name}`;
    const reflector = await startUntil(REFLECTOR, [netns(pods.a), netns(pods.b), INTERFACE], 'ready');
    return {
      a: configure(pods.a, 1),
      b: configure(pods.b, 2),
      pin: (processors) => pinAll(reflector.pid!, processors),
      async close() {
        await end(reflector);
        pods.remove();
      },
    };
  },
};

function compile(): void {
  const isFresh = existsSync(REFLECTOR) && statSync(REFLECTOR).mtimeMs > statSync(REFLECTOR_SOURCE).mtimeMs;
  if (isFresh) return;
  mkdirSync(dirname(REFLECTOR), { recursive: true });
  run('cc', ['-O2', '-Wall', '-o', REFLECTOR, REFLECTOR_SOURCE, '-luring']);
}

/** Pins all threads of a process. */
function pinAll(pid: number, processors: string): void {
  run('taskset', ['-a', '-p', '-c', processors, String(pid)]);
}
