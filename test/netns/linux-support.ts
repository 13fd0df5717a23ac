/** Network namespaces for one test: unique names, removed however it ends; the kernel's own view of a link. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { withNamespace } from '../../src/linux/netns.js';

export const isRoot = process.getuid?.() === 0;
if (!isRoot) console.log('skipped: TAP devices and namespaces need root');

/** Makes a namespace without IPv6, so that the kernel says nothing unasked; deleted when the test ends. */
export function freshNamespace(): string {
  const name = `podwire-${randomBytes(4).toString('hex')}`;
  ip('netns', 'add', name);
  onTestFinished(() => {
    ip('netns', 'del', name);
  });
  withNamespace(name, () => writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1'));
  return name;
}

export function ip(...args: string[]): string {
  return execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

export interface Link {
  ifname: string;
  ifindex: number;
  address: string;
  flags: string[];
  linkinfo?: { info_kind: string; info_data?: { type: string; persist: boolean; vnet_hdr: boolean } };
  stats64: { rx: { packets: number; bytes: number }; tx: { packets: number; bytes: number } };
}

/** `ip -j -d -s link` of one interface, undefined when there is none. */
export function link(namespace: string, name: string): Link | undefined {
  const links = JSON.parse(ip('-n', namespace, '-j', '-d', '-s', 'link')) as Link[];
  return links.find(({ ifname }) => ifname === name);
}

/** ARP who-has 10.99.0.1 tell 10.99.0.2 at 02:00:00:00:00:02, as scapy builds it. */
export const ARP_REQUEST = bytes(
  'ffffffffffff020000000002080600010800060400010200000000020a6300020000000000000a630001',
);
/** The answer of a host that has 10.99.0.1 at 02:00:00:00:00:01, as scapy builds it. */
export const ARP_REPLY = bytes(
  '020000000002020000000001080600010800060400020200000000010a6300010200000000020a630002',
);

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'));
}
