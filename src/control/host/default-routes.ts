/**
 * Which families already have a default route through another interface, in the network namespace of the calling
 * thread: such a route is not podwire's to replace. Reads procfs, as that costs no process.
 */
import { readFileSync } from 'node:fs';

/** /proc/self would show the main thread's. */
const NET = '/proc/thread-self/net';

export interface ForeignDefaults {
  readonly 4: boolean;
  readonly 6: boolean;
}

export function foreignDefaults(ifname: string): ForeignDefaults {
  return {
    4: defaults4(read('route')).some((device) => device !== ifname),
    6: defaults6(read('ipv6_route')).some((device) => device !== ifname),
  };
}

/** Devices of the default routes in /proc/net/route: Iface Destination Gateway Flags … Mask … */
export function defaults4(text: string): string[] {
  return rows(text)
    .slice(1)
    .filter((columns) => columns[1] === '00000000' && columns[7] === '00000000')
    .map((columns) => columns[0]);
}

/** RTF_REJECT: the unreachable route that every namespace has. linux/route.h */
const RTF_REJECT = 0x200;

/** Devices of the default routes in /proc/net/ipv6_route: destination, length, …, flags, device. */
export function defaults6(text: string): string[] {
  return rows(text)
    .filter(
      (columns) =>
        /^0{32}$/.test(columns[0]) &&
        columns[1] === '00' &&
        (Number.parseInt(columns[8], 16) & RTF_REJECT) === 0,
    )
    .map((columns) => columns[9]);
}

function rows(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.trim().split(/\s+/));
}

/** Without IPv6 there is no such file. */
function read(name: string): string {
  try {
    return readFileSync(`${NET}/${name}`, 'utf8');
  } catch {
    return '';
  }
}
