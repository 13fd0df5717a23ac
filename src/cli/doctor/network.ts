/** The host's own network: what podwire needs of it, and what would stand in the way of pods. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { type Cidr, contains, parseCidr, parseIp } from '../../wire/address.js';
import { type Finding, ok, warning } from './finding.js';

const SYSCTL = '/proc/sys/net';

export function ipv6(): Finding {
  const name = 'IPv6';
  const switchedOff = sysctl('ipv6/conf/all/disable_ipv6');
  if (switchedOff === undefined) {
    return warning(name, 'the kernel has none', 'pods get IPv4 only; start Linux without ipv6.disable=1');
  }
  if (switchedOff === '0') return ok(name, 'enabled');
  return warning(
    name,
    'switched off on this host',
    'for podwire0 to have it: sysctl -w net.ipv6.conf.all.disable_ipv6=0',
  );
}

/**
 * Strict reverse path filtering (RFC 3704) drops what pods send to the node as soon as the route back to them
 * is not podwire0's, for instance while another network's route covers it.
 */
export function reversePathFilter(): Finding {
  const name = 'reverse path filter';
  const values = ['all', 'default'].map((scope) => sysctl(`ipv4/conf/${scope}/rp_filter`) ?? '0');
  if (!values.includes('1')) return ok(name, values.includes('2') ? 'loose' : 'off');
  return warning(
    name,
    'strict',
    'if pods do not reach this node: sysctl -w net.ipv4.conf.all.rp_filter=2 and the same for podwire0',
  );
}

interface HostRoute {
  readonly dst: string;
  readonly dev?: string;
}

/** Routes of others into the prefixes that pods get their addresses from. */
export function overlappingRoutes(prefixes: readonly string[]): Finding {
  const name = 'pod prefixes';
  const ours = prefixes.map((prefix) => parseCidr(prefix));
  const foreign = hostRoutes().filter((route) => ours.some((prefix) => overlap(prefix, destination(route))));
  if (foreign.length === 0) return ok(name, `${prefixes.join(', ')}: no other routes there`);
  const found = foreign.map(({ dst, dev }) => `${dst} goes to ${dev ?? 'another place'}`).join(', ');
  return warning(name, found, 'give the daemon a --cluster-cidr or --pod-cidr that nothing else uses');
}

/** Either holds the other's first address. */
export function overlap(a: Cidr, b: Cidr): boolean {
  return contains(a, b) || contains(b, a);
}

function destination({ dst }: HostRoute): Cidr {
  if (dst.includes('/')) return parseCidr(dst);
  const ip = parseIp(dst);
  return { ...ip, prefix: ip.words.length * 32 };
}

/** Without default routes, which cover everything and stand in nobody's way, and without podwire's own. */
function hostRoutes(): HostRoute[] {
  return ['-4', '-6']
    .flatMap((family) => readRoutes(family))
    .filter(({ dst, dev }) => /^[0-9a-f]/.test(dst) && dst !== 'default' && dev !== 'podwire0');
}

function readRoutes(family: string): HostRoute[] {
  try {
    const text = execFileSync('ip', ['-j', family, 'route', 'show'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return JSON.parse(text || '[]') as HostRoute[];
  } catch {
    return [];
  }
}

function sysctl(name: string): string | undefined {
  const path = `${SYSCTL}/${name}`;
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined;
}
