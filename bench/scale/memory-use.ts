/** What this process has in memory, once what nobody holds is given up. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Of this thread's heap; that of a worker is collected when it likes. */
export function collect(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

/** MB of 10^6 bytes. */
export function residentMegabytes(): number {
  return process.memoryUsage.rss() / 1e6;
}
