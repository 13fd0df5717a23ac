/** The subjects of `node.*`: podwire itself and what it is compared with. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { end, run, startUntil } from '../shell.js';
import { openVSwitch } from './openvswitch.js';
import { configure, type End, INTERFACE, macOf, makeHost, pinAll, proven, type Subject } from './path.js';
import { cPollReflector, cUringReflector } from './reflectors.js';
import { closeable, makeFolder } from './undo.js';

/** podwire first; the others are its baselines. */
export function nodeSubjects(daemonFlags: readonly string[]): Subject[] {
  return [podwire(daemonFlags), linuxBridge, openVSwitch, cUringReflector, cPollReflector];
}

export const PROGRAM = fileURLToPath(new URL('../../../bin/podwire', import.meta.url));

/** What `podwire attach` has made in a pod's namespace. */
export function attach(pod: string, namespace: string, socket: string): End & { gateway: string } {
  const args = ['attach', pod, '--netns', namespace, '--ifname', INTERFACE, '--socket', socket];
  const { ips, gateway } = JSON.parse(run(process.execPath, [PROGRAM, ...args])) as {
    ips: string[];
    gateway: string[];
  };
  return { namespace, address: ips[0].split('/')[0], mac: macOf(namespace), gateway: gateway[0] };
}

/** A podwire daemon in a namespace of its own, with two attached pods: one bridge hop, source guard on. */
export function podwire(flags: readonly string[] = []): Subject {
  return {
    name: 'podwire',
    absent: () => undefined,
    open: () =>
      closeable(async (undo) => {
        const { a, b, node } = makeHost(undo);
        const folder = makeFolder(undo);
        const socket = join(folder, 'api.sock');
        const where = ['--data', join(folder, 'data'), '--socket', socket, '--pod-cidr', '10.9.0.0/24'];
        const daemon = await startUntil(
          'ip',
          ['netns', 'exec', node, process.execPath, PROGRAM, 'daemon', '--name', 'bench', ...where, ...flags],
          '"ready"',
        );
        undo.add(() => end(daemon));
        const pin = (processors: string): void => pinAll(daemon.pid!, processors);
        return proven({ a: attach('a', a, socket), b: attach('b', b, socket), pin });
      }),
  };
}

/** A Linux bridge with two veth pairs, in a namespace of its own. */
export const linuxBridge: Subject = {
  name: 'linux-bridge',
  absent: () => undefined,
  open: () =>
    closeable(async (undo) => {
      const { a, b, node } = makeHost(undo);
      run('ip', ['-n', node, 'link', 'add', 'br0', 'type', 'bridge']);
      run('ip', ['-n', node, 'link', 'set', 'br0', 'up']);
      for (const [port, namespace] of [a, b].entries()) {
        const outer = `v${port}`;
        const veth = ['link', 'add', outer, 'type', 'veth', 'peer', 'name', INTERFACE, 'netns', namespace];
        run('ip', ['-n', node, ...veth]);
        run('ip', ['-n', node, 'link', 'set', outer, 'master', 'br0', 'up']);
      }
      return proven({ a: configure(a, 1), b: configure(b, 2), pin: () => {} });
    }),
};
