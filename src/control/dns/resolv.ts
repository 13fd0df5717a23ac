/**
 * Reads resolv.conf(5) as the C library does: keyword and values between blanks, a comment begins with `;` or `#`, the last of
 * `search` and `domain` counts, what is not understood is passed over. The library stops at three name servers; more
 * are taken here, up to eight.
 */
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { isIP } from 'node:net';

export interface ResolvConf {
  /** Addresses, with their zone where they have one (`fe80::1%eth0`). */
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  /** As they stand there: `ndots:5`, `edns0`. */
  readonly options: readonly string[];
}

const MOST_NAMESERVERS = 8;

export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  const options: string[] = [];
  let search: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[;#].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && isIP(values[0] ?? '') !== 0) nameservers.push(values[0]);
    if (keyword === 'search') search = values;
    if (keyword === 'domain') search = values.slice(0, 1);
    if (keyword === 'options') options.push(...values);
  }
  return { nameservers: [...new Set(nameservers)].slice(0, MOST_NAMESERVERS), search, options };
}

/** A missing file has no name servers: a host without a network is like that. */
export function readResolvConf(path: string): ResolvConf {
  try {
    return parseResolvConf(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error) return parseResolvConf('');
    throw error;
  }
}

/** How often the file is looked at (ms). It may be replaced as a whole, or be a link: looking finds both. */
const LOOK_MS = 2000;

/** Calls with what the file says, whenever that has changed. Answers how to stop. */
export function followResolvConf(
  path: string,
  changed: (conf: ResolvConf) => void,
  everyMs = LOOK_MS,
): () => void {
  const look = () => changed(readResolvConf(path));
  watchFile(path, { persistent: false, interval: everyMs }, look);
  return () => unwatchFile(path, look);
}
