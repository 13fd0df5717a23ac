/** Notices that files have changed, for what is read again when somebody replaces it: tokens and certificates. */
import { statSync } from 'node:fs';

/** Looked at no more often than this (ms). */
const LOOK_AFTER = 1000;

export class FileSignature {
  private known: string;
  private looked: number;

  constructor(
    private readonly paths: readonly string[],
    now = performance.now(),
  ) {
    this.known = signature(paths);
    this.looked = now;
  }

  /** Whether they are others than the last time this answered true, or than at first. @param now monotonic (ms) */
  hasChanged(now = performance.now()): boolean {
    if (now - this.looked < LOOK_AFTER) return false;
    this.looked = now;
    const present = signature(this.paths);
    if (present === this.known) return false;
    this.known = present;
    return true;
  }
}

function signature(paths: readonly string[]): string {
  return paths
    .map((path) => {
      const found = statSync(path, { throwIfNoEntry: false, bigint: true });
      return found ? `${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}` : 'none';
    })
    .join('\n');
}
