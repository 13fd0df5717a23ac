/** A machine beside the host of a bench, by one cable: a namespace `outside`, which knows the host by these addresses only. */
import type { DaemonBench } from '../daemon-support.js';

export const HOST = { ipv4: '192.0.2.1', ipv6: '2001:db8:1::1' } as const;
export const OUTSIDE = { ipv4: '192.0.2.9', ipv6: '2001:db8:1::9' } as const;

/** Namespace `host` must be there. */
export function addOutside(bench: DaemonBench): void {
  bench.namespace('outside');
  const peer = ['type', 'veth', 'peer', 'name', 'wan0', 'netns', bench.name('outside')];
  bench.ip('host', 'link', 'add', 'wan0', ...peer);
  for (const [name, { ipv4, ipv6 }] of [
    ['host', HOST],
    ['outside', OUTSIDE],
  ] as const) {
    bench.ip(name, 'address', 'add', `${ipv4}/24`, 'dev', 'wan0');
    bench.ip(name, 'address', 'add', `${ipv6}/64`, 'dev', 'wan0', 'nodad');
    bench.ip(name, 'link', 'set', 'wan0', 'up');
  }
}
