/** How the user can call this program again, for hints that can be pasted into the same shell. */
import { realpathSync } from 'node:fs';
import { join, relative } from 'node:path';

export function programName(argv: readonly string[] = process.argv, env = process.env): string {
  const script = argv[1];
  if (script === undefined) return 'podwire';
  if (isInPath(script, env.PATH ?? '')) return 'podwire';
  const near = relative(process.cwd(), script);
  return near.startsWith('..') ? script : near;
}

/** Whether a folder of PATH has `podwire` lead to the script. */
function isInPath(script: string, path: string): boolean {
  return path.split(':').some((folder) => folder !== '' && leadsTo(join(folder, 'podwire'), script));
}

function leadsTo(candidate: string, script: string): boolean {
  try {
    return realpathSync(candidate) === realpathSync(script);
  } catch {
    return false;
  }
}
