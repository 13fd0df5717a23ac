/**
 * Kernel settings of an interface, for the network namespace that the calling thread is in: /proc/sys/net shows
 * each thread its own. To be used within `withNamespace`.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { PodwireError } from '../errors.js';

export const IPV4 = '/proc/sys/net/ipv4';
export const IPV6 = '/proc/sys/net/ipv6';

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

/**
 * Keeps the kernel from doing anything with IP packets that come in at an interface, which must have no address.
 * @throws PodwireError HOST_FAILED where it cannot be: the packets would go past the switch
 */
export function ignorePackets(ifname: string): void {
  insist(`${IPV4}/conf/${ifname}/rp_filter`, '1');
  insist(`${IPV4}/conf/${ifname}/forwarding`, '0');
  if (kernelHasIpv6()) insist(`${IPV6}/conf/${ifname}/disable_ipv6`, '1');
}

function insist(path: string, value: string): void {
  writeSetting(path, value);
  if (readSetting(path) === value) return;
  throw new PodwireError('HOST_FAILED', `${path} must be ${value} and cannot be set: is /proc/sys writable?`);
}

export function readSetting(path: string): string | undefined {
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
export function writeSetting(path: string, value: string): void {
  if (readSetting(path) === value) return;
  try {
    writeFileSync(path, value);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EROFS' && code !== 'EACCES') throw error;
  }
}
