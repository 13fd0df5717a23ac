/**
 * Reads resolv.conf(5) as the C library does: keyword and values between blanks, a comment begins with `;` or `#`, the last of
 * `search` and `domain` counts, what is not understood is passed over. The library stops at three name servers; more
 * are taken here, up to eight.
 */
import { readFileSync } from 'node:fs';
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
  return parseResolvConf(textOf(path));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return '';
    throw error;
  }
}

/**
 * How often the file is looked at (ms). It may be replaced as a whole, be a link, or be written within the resolution of
 * its times: reading it finds all of that.
 */
const LOOK_MS = 2000;

/** Calls with what the file says, at once and whenever that has changed. Answers how to stop. */
export function followResolvConf(
  path: string,
  use: (conf: ResolvConf) => void,
  everyMs = LOOK_MS,
): () => void {
  let known = textOf(path);
  use(parseResolvConf(known));
  const timer = setInterval(() => {
    const text = textOf(path);
    if (text === known) return;
    known = text;
    use(parseResolvConf(text));
  }, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}
