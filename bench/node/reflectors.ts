/**
 * What TAP I/O in user space costs at least: C programs that hand each packet from one TAP to the other and look at
 * none. They are compiled where they are needed, when there is a compiler.
 */
import { existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { end, has, run, startUntil } from '../shell.js';
import { configure, INTERFACE, makeHost, pinAll, proven, type Subject } from './path.js';
import { closeable } from './undo.js';

const fileOf = (name: string): string =>
  fileURLToPath(new URL(`../../../bench/baseline/${name}`, import.meta.url));

/** io_uring, 64 reads in flight for each TAP. */
export const cUringReflector = reflector(
  'uring-reflect',
  ['-luring'],
  '/usr/include/liburing.h',
  'liburing-dev',
);

/** poll, and a read and a write for each packet. */
export const cPollReflector = reflector('poll-reflect', [], '/usr/include/linux/if_tun.h', 'linux-libc-dev');

/** @param header what its compilation needs, which comes with the package `from`. */
function reflector(program: string, libraries: readonly string[], header: string, from: string): Subject {
  return {
    name: `c-${program}`,
    absent: () => {
      if (!has('cc')) return 'no C compiler (cc)';
      return existsSync(header) ? undefined : `${from} is not installed`;
    },
    open: () =>
      closeable(async (undo) => {
        const binary = compiled(program, libraries);
        const { a, b } = makeHost(undo);
        const child = await startUntil(binary, [`/run/netns/${a}`, `/run/netns/${b}`, INTERFACE], 'ready');
        undo.add(() => end(child));
        const pin = (processors: string): void => pinAll(child.pid!, processors);
        return proven({ a: configure(a, 1), b: configure(b, 2), pin });
      }),
  };
}

/** Compiles it when its source, or what it shares with the others, is newer than what is there. */
function compiled(program: string, libraries: readonly string[]): string {
  const [source, binary] = [fileOf(`${program}.c`), fileOf(`bin/${program}`)];
  const changed = Math.max(...[source, fileOf('tap.h')].map((file) => statSync(file).mtimeMs));
  const isFresh = existsSync(binary) && statSync(binary).mtimeMs > changed;
  if (!isFresh) {
    mkdirSync(dirname(binary), { recursive: true });
    const fresh = `${binary}-${process.pid}`;
    run('cc', ['-O2', '-Wall', '-o', fresh, source, ...libraries]);
    // In one step: another run may compile it too, or have it running.
    renameSync(fresh, binary);
  }
  return binary;
}
