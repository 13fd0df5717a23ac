/**
 * Kernel settings of an interface, for the network namespace that the calling thread is in: /proc/sys/net shows
 * each thread its own. To be used within `withNamespace`.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const IPV6 = '/proc/sys/net/ipv6';

/** Whether the kernel has IPv6 at all. */
export function kernelHasIpv6(): boolean {
  return existsSync(IPV6);
}

/** Whether IPv6 is switched off for the interface. */
export function ipv6Disabled(ifname: string): boolean {
  return readSetting(`${IPV6}/conf/${ifname}/disable_ipv6`) !== '0';
}

/**
 * Prepares an interface for IPv6 addresses that are given to it and to no others: no router advertisements, no
 * waiting for duplicate address detection, since the switch knows that nobody else has the address.
 */
export function prepareIpv6(ifname: string): void {
  for (const [name, value] of [
    ['disable_ipv6', '0'],
    ['accept_ra', '0'],
    ['accept_dad', '0'],
  ]) {
    writeSetting(`${IPV6}/conf/${ifname}/${name}`, value);
  }
}

function readSetting(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}

/**
 * Where /proc/sys is read-only, as in some containers, the defaults stay: addresses are added without duplicate
 * address detection anyway, and with IPv6 switched off adding them fails with the kernel's words.
 */
function writeSetting(path: string, value: string): void {
  if (readSetting(path) === value) return;
  try {
    writeFileSync(path, value);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EROFS' && code !== 'EACCES') throw error;
  }
}
