/**
 * A path with a narrow place in the middle:
 *
 *     a 10.77.1.1 ──── 10.77.1.2 r 10.77.2.2 ──── 10.77.2.1 b
 *          MTU 1500                   MTU 1400
 *
 * and the same over IPv6 (fd77:1::/64, fd77:2::/64). r says what does not fit, until it is made mute.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { withNamespace } from '../../src/linux/netns.js';
import { runIn } from '../support/netns-programs.js';

export const A = { 4: '10.77.1.1', 6: 'fd77:1::1' } as const;
export const B = { 4: '10.77.2.1', 6: 'fd77:2::1' } as const;

export interface NarrowPath {
  readonly a: string;
  readonly b: string;
  /** r's own packets go nowhere from now on, its ICMP errors among them; what it forwards is not touched. */
  makeMute(): void;
  /** The second link, both its ends. */
  setMtu(mtu: number): void;
}

/** Ready when packets pass; the kernel takes up to a second until IPv6 does. */
export async function narrowPath(mtu = 1400): Promise<NarrowPath> {
  const id = randomBytes(4).toString('hex');
  const [a, r, b] = ['a', 'r', 'b'].map((name) => `podwire-${id}-${name}`) as [string, string, string];
  for (const name of [a, r, b]) {
    ip('netns', 'add', name);
    onTestFinished(() => void ip('netns', 'del', name));
    withNamespace(name, () => writeFileSync('/proc/sys/net/ipv6/conf/default/accept_dad', '0'));
  }
  ip('link', 'add', 'left', 'netns', r, 'type', 'veth', 'peer', 'name', 'wire', 'netns', a);
  ip('link', 'add', 'right', 'netns', r, 'type', 'veth', 'peer', 'name', 'wire', 'netns', b);
  address(a, 'wire', `${A[4]}/24`, `${A[6]}/64`);
  address(r, 'left', '10.77.1.2/24', 'fd77:1::2/64');
  address(r, 'right', '10.77.2.2/24', 'fd77:2::2/64');
  address(b, 'wire', `${B[4]}/24`, `${B[6]}/64`);
  withNamespace(r, () => {
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
    writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '1');
  });
  for (const [name, gateways] of [
    [a, ['10.77.1.2', 'fd77:1::2']],
    [b, ['10.77.2.2', 'fd77:2::2']],
  ] as const) {
    for (const gateway of gateways) ip('-n', name, 'route', 'add', 'default', 'via', gateway);
  }
  const setMtu = (bytes: number) => {
    ip('-n', r, 'link', 'set', 'dev', 'right', 'mtu', String(bytes));
    ip('-n', b, 'link', 'set', 'dev', 'wire', 'mtu', String(bytes));
  };
  setMtu(mtu);
  for (const family of [4, 6] as const) await answers(a, B[family]);
  return {
    a,
    b,
    setMtu,
    makeMute: () => {
      ip('-n', r, '-4', 'rule', 'add', 'iif', 'lo', 'blackhole');
      ip('-n', r, '-6', 'rule', 'add', 'iif', 'lo', 'blackhole');
    },
  };
}

async function answers(namespace: string, target: string): Promise<void> {
  for (let attempt = 0; attempt < 30; attempt++) {
    const { status } = await runIn(namespace, 'ping', '-c', '1', '-W', '0.2', target);
    if (status === 0) return;
  }
  throw new Error(`${target} does not answer`);
}

function address(namespace: string, ifname: string, ...addresses: string[]): void {
  ip('-n', namespace, 'link', 'set', 'dev', 'lo', 'up');
  for (const text of addresses) {
    ip('-n', namespace, 'address', 'add', text, 'dev', ifname, ...(text.includes(':') ? ['nodad'] : []));
  }
  ip('-n', namespace, 'link', 'set', 'dev', ifname, 'up');
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}
