/**
 * Open vSwitch's userspace datapath with TCP segmentation offload: what is nearest to podwire among the switches that
 * a distribution ships. A database, two daemons and their sockets of its own in a temporary folder; the host's Open
 * vSwitch, where one runs, is not touched.
 *
 *     netns node: ovsdb-server, ovs-vswitchd: bridge br0 (datapath_type=netdev)
 *                   internal port pa, moved ──► netns a, as eth0
 *                   internal port pb, moved ──► netns b, as eth0
 *
 * An internal port of a netdev bridge is a TAP device, which ovs-vswitchd reads and writes without DPDK: its main
 * thread does so, from poll. Moving it into another namespace leaves the daemon's file with it. TSO has to be on
 * before ovs-vswitchd starts (its documentation, topics/userspace-tso); the flow is what the `NORMAL` action makes.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { end, has, run, startUntil } from '../shell.js';
import { configure, INTERFACE, makeHost, pinAll, proven, type Subject } from './path.js';
import { closeable, makeFolder, type Undo } from './undo.js';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';
const PROGRAMS = ['ovs-vswitchd', 'ovsdb-server', 'ovsdb-tool', 'ovs-vsctl'];

export const openVSwitch: Subject = {
  name: 'openvswitch',
  absent: () =>
    PROGRAMS.every(has) && existsSync(SCHEMA) ? undefined : 'openvswitch-switch is not installed',
  open: () =>
    closeable(async (undo) => {
      const { a, b, node } = makeHost(undo);
      const folder = makeFolder(undo);
      const database = `unix:${join(folder, 'db.sock')}`;
      const vsctl = (...args: string[]): string =>
        run('ovs-vsctl', [`--db=${database}`, '--timeout=20', ...args]);
      await startDatabase(node, folder, undo);
      vsctl('--no-wait', 'init', '--', 'set', 'Open_vSwitch', '.', 'other_config:userspace-tso-enable=true');
      const pid = await startSwitch(node, folder, database, undo);
      vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev');
      vsctl(...internalPort('pa'), '--', ...internalPort('pb'));
      run('ip', ['-n', node, 'link', 'set', 'pa', 'netns', a, 'name', INTERFACE]);
      run('ip', ['-n', node, 'link', 'set', 'pb', 'netns', b, 'name', INTERFACE]);
      const pin = (processors: string): void => pinAll(pid, processors);
      return proven({ a: configure(a, 1), b: configure(b, 2), pin });
    }),
};

function internalPort(name: string): string[] {
  return ['add-port', 'br0', name, '--', 'set', 'interface', name, 'type=internal'];
}

/** To standard error from this severity on; no log file, no syslog. */
const LOG = ['-vconsole:info', '-vsyslog:off', '-vfile:off'];

async function startDatabase(node: string, folder: string, undo: Undo): Promise<void> {
  const file = join(folder, 'conf.db');
  run('ovsdb-tool', ['create', file, SCHEMA]);
  const sockets = [`--remote=punix:${join(folder, 'db.sock')}`, ...control(folder, 'ovsdb-server')];
  // It says its version when its sockets are open.
  await startProgram(node, folder, ['ovsdb-server', file, ...sockets], 'ovsdb-server (Open vSwitch)', undo);
}

async function startSwitch(node: string, folder: string, database: string, undo: Undo): Promise<number> {
  const program = ['ovs-vswitchd', database, ...control(folder, 'ovs-vswitchd')];
  return startProgram(node, folder, program, 'TCP Segmentation Offloading support enabled', undo);
}

function control(folder: string, program: string): string[] {
  return [
    `--unixctl=${join(folder, `${program}.ctl`)}`,
    `--pidfile=${join(folder, `${program}.pid`)}`,
    '--no-chdir',
  ];
}

async function startProgram(
  node: string,
  folder: string,
  program: readonly string[],
  sign: string,
  undo: Undo,
): Promise<number> {
  // `ip netns exec` becomes the program, so its process id is the program's.
  const args = ['netns', 'exec', node, ...program, ...LOG];
  const child = await startUntil('ip', args, sign, {
    OVS_RUNDIR: folder,
    OVS_DBDIR: folder,
    OVS_LOGDIR: folder,
  });
  undo.add(() => end(child));
  return child.pid!;
}
