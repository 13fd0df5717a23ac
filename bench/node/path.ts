/**
 * What `node.*` scenarios measure: a path between two network namespaces of this host.
 *
 *     netns a: eth0 10.9.0.a ◄──── subject: podwire, Linux bridge, C reflector ────► netns b: eth0 10.9.0.b
 */
import { run } from '../shell.js';

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
  open(): Promise<P>;
}

export const INTERFACE = 'eth0';

let made = 0;

/** Two fresh namespaces with unique names. */
export function makeNamespaces(): { a: string; b: string; remove(): void } {
  const prefix = `pwbench-${process.pid}-${made++}`;
  const names = [`${prefix}-a`, `${prefix}-b`];
  for (const name of names) {
    run('ip', ['netns', 'add', name]);
    run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  }
  return {
    a: names[0],
    b: names[1],
    remove: () => {
      for (const name of names) run('ip', ['netns', 'del', name]);
    },
  };
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
