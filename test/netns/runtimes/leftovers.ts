/**
 * What container runtimes leave behind when they, or a test, fail half-way: processes, mounts, control groups,
 * network namespaces. All of it is found by a name that nothing else on the machine has.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { until } from '../daemon-support.js';

const CGROUPS = '/sys/fs/cgroup';
/** Where libcni keeps the results of the plugins: NETWORK-CONTAINER-INTERFACE. */
const CNI_RESULTS = '/var/lib/cni/results';

/** Processes that have `text` in their command line or environment; those that have ended do not count. */
export function processesWith(text: string): { pid: number; command: string }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => ({
      pid: Number(name),
      command: read(`/proc/${name}/cmdline`).replaceAll('\0', ' '),
      environment: read(`/proc/${name}/environ`),
    }))
    .filter(({ command, environment }) => command.includes(text) || environment.includes(text));
}

/** Ends what has `text` in its command line or environment, and what is in the control groups below `cgroup`. */
export async function endProcesses(text: string, cgroup: string): Promise<void> {
  const remaining = () => [...processesWith(text).map(({ pid }) => pid), ...cgroupProcesses(cgroup)];
  await until(() => {
    const pids = remaining();
    for (const pid of pids) kill(pid);
    return pids.length === 0;
  }, 20_000);
}

/** The last first, since mounts may lie upon mounts. */
export function unmountBelow(directory: string): void {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${directory}/`));
  for (const point of points.reverse()) spawnSync('umount', ['-l', point]);
}

export function removeNetns(path: string): void {
  if (!existsSync(path)) return;
  spawnSync('ip', ['netns', 'del', basename(path)]);
}

/** Removes the control groups of this name. Kernels take some time to see that one is empty. */
export async function removeCgroups(cgroup: string): Promise<void> {
  await until(() => {
    for (const directory of cgroupsOf(cgroup).flatMap(withChildren)) {
      try {
        rmdirSync(directory);
      } catch {
        // Tried again, or it is gone.
      }
    }
    return cgroupsOf(cgroup).length === 0;
  }, 10_000);
}

/** Network namespaces of containers that libcni believes to be there. */
export function removeCniResults(containers: readonly string[]): void {
  for (const file of cniResults(containers)) rmSync(join(CNI_RESULTS, file), { force: true });
}

export function cniResults(containers: readonly string[]): string[] {
  const files = existsSync(CNI_RESULTS) ? readdirSync(CNI_RESULTS) : [];
  return files.filter((file) => containers.some((id) => file.includes(id)));
}

function cgroupProcesses(cgroup: string): number[] {
  return cgroupsOf(cgroup)
    .flatMap(withChildren)
    .flatMap((directory) => read(join(directory, 'cgroup.procs')).split('\n'))
    .filter((line) => line !== '')
    .map(Number);
}

/** In version 1 every hierarchy has its own folder of the name, in version 2 there is one. */
function cgroupsOf(cgroup: string): string[] {
  if (!existsSync(CGROUPS)) return [];
  const folders = readdirSync(CGROUPS, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return [CGROUPS, ...folders.map(({ name }) => join(CGROUPS, name))]
    .map((hierarchy) => join(hierarchy, cgroup))
    .filter((directory) => existsSync(directory));
}

/** The children before their parents. */
function withChildren(directory: string): string[] {
  let entries: string[] = [];
  try {
    const found = readdirSync(directory, { withFileTypes: true });
    entries = found.filter((entry) => entry.isDirectory()).map(({ name }) => join(directory, name));
  } catch {
    // It went meanwhile.
  }
  return [...entries.flatMap(withChildren), directory];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
