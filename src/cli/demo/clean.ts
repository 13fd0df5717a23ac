/**
 * `podwire demo --clean`: removes what demos have left, those told to --keep it and those that were killed.
 * A demo that is still running is left alone. With an id, the number in its names, it is about that demo only.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from './alive.js';
import { DEMO_PREFIX, deleteNamespaces, demoNamespaces, processesIn } from './namespaces.js';
import { sleep } from './time.js';

const END_TIMEOUT_MS = 3_000;
const POLL_MS = 50;

export interface Cleaned {
  readonly processes: number;
  readonly namespaces: readonly string[];
}

export async function cleanDemos(id = ''): Promise<Cleaned> {
  const isToGo = (name: string) => isOf(name, id) && !isOfLiveDemo(name);
  const namespaces = demoNamespaces().filter(isToGo);
  const processes = (await Promise.all(namespaces.map(processesIn))).flat();
  await end(processes);
  await deleteNamespaces(namespaces);
  removeDirectories(isToGo);
  return { processes: processes.length, namespaces };
}

function isOf(name: string, id: string): boolean {
  return name.startsWith(id === '' ? DEMO_PREFIX : `${DEMO_PREFIX}${id}-`);
}

/** The name of everything of a demo has its process id after the prefix; ids are used again by others. */
function isOfLiveDemo(name: string): boolean {
  const pid = Number.parseInt(name.slice(DEMO_PREFIX.length), 10);
  if (Number.isNaN(pid)) return true;
  return isAlive(pid) && commandLine(pid).includes('demo');
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Asks, waits, and insists. */
async function end(pids: readonly number[]): Promise<void> {
  signal(pids, 'SIGTERM');
  const deadline = performance.now() + END_TIMEOUT_MS;
  while (pids.some((pid) => isAlive(pid)) && performance.now() < deadline) await sleep(POLL_MS);
  signal(pids, 'SIGKILL');
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids.filter((candidate) => isAlive(candidate))) {
    try {
      process.kill(pid, name);
    } catch {
      // It ended in between.
    }
  }
}

function removeDirectories(isToGo: (name: string) => boolean): void {
  for (const name of readdirSync(tmpdir()).filter(isToGo)) {
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}
