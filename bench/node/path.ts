/**
 * What `node.*` scenarios measure: a path between two network namespaces of this host.
 *
 *     netns a: eth0 10.9.0.a ◄── subject: podwire, Linux bridge, Open vSwitch, C reflector ──► netns b: eth0 10.9.0.b
 */
import { run, sleep } from '../shell.js';
import type { Undo } from './undo.js';

/** One end of the path. */
export interface End {
  readonly namespace: string;
  readonly address: string;
  readonly mac: string;
}

export interface Path {
  readonly a: End;
  readonly b: End;
  /** Where a frame from a must go to end at b, where that is not b's own address: the next hop, when routed. */
  readonly towardsB?: { readonly mac: string; readonly address: string };
  /** Pins the switching process to processors; the kernel's own bridge cannot be pinned and ignores it. */
  pin(processors: string): void;
  close(): Promise<void>;
}

export interface Subject<P extends Path = Path> {
  readonly name: string;
  /** Why it cannot run here, or undefined. */
  absent(): string | undefined;
  /** Leaves nothing behind when it fails. */
  open(): Promise<P>;
}

export const INTERFACE = 'eth0';

let made = 0;

/** A name that no other run uses, for what is needed together. */
export function uniqueName(): string {
  return `pwbench-${process.pid}-${made++}`;
}

export function makeNamespace(name: string, undo: Undo): string {
  run('ip', ['netns', 'add', name]);
  undo.add(() => run('ip', ['netns', 'del', name]));
  run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  return name;
}

/** The namespaces of two pods and of what connects them. */
export function makeHost(undo: Undo): { a: string; b: string; node: string } {
  const prefix = uniqueName();
  const [node, a, b] = ['node', 'a', 'b'].map((part) => makeNamespace(`${prefix}-${part}`, undo));
  return { a, b, node };
}

/** Reads the MAC address of a namespace's interface. */
export function macOf(namespace: string): string {
  const [link] = JSON.parse(run('ip', ['-n', namespace, '-j', 'link', 'show', INTERFACE])) as {
    address: string;
  }[];
  return link.address;
}

/** Gives an interface its address and takes it up; for subjects that do not do so themselves. */
export function configure(namespace: string, host: number): End {
  const address = `10.9.0.${host}`;
  run('ip', ['-n', namespace, 'addr', 'add', `${address}/24`, 'dev', INTERFACE]);
  run('ip', ['-n', namespace, 'link', 'set', INTERFACE, 'up']);
  return { namespace, address, mac: macOf(namespace) };
}

const MOST_TRIES = 30;

/** Waits until the other end answers. A bridge in between has then learned where both ends are. */
export async function reachable({ namespace }: Pick<End, 'namespace'>, address: string): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    try {
      run('ip', ['netns', 'exec', namespace, 'ping', '-c', '1', '-W', '1', address]);
      return;
    } catch {
      await sleep(100);
    }
  }
  throw new Error(`${address} cannot be reached from ${namespace}`);
}

/** The path, once something has gone through it. */
export async function proven(path: Omit<Path, 'close'>): Promise<Omit<Path, 'close'>> {
  await reachable(path.a, path.b.address);
  return path;
}

/** Pins all threads of a process. */
export function pinAll(pid: number, processors: string): void {
  run('taskset', ['-a', '-p', '-c', processors, String(pid)]);
}
