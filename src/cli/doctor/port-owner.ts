/** Who has a UDP port of an address of this host: nobody, a process, or the kernel itself for a vxlan device. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { familyOf } from '../../control/cidr.js';

export type PortOwner =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'process'; readonly pid: number; readonly command: string }
  | { readonly kind: 'device'; readonly ifname: string }
  /** It is taken, and this user may not see by whom. */
  | { readonly kind: 'unseen' };

/** Rejects where the address is not this host's. */
export async function udpPortOwner(address: string, port: number): Promise<PortOwner> {
  if (await isFree(address, port)) return { kind: 'nobody' };
  const device = vxlanDevice(port);
  if (device !== undefined) return { kind: 'device', ifname: device };
  return processOf(inodesOf(port)) ?? { kind: 'unseen' };
}

/** Tried, as nothing else is certain. */
function isFree(address: string, port: number): Promise<boolean> {
  const socket = createSocket({ type: familyOf(address) === 4 ? 'udp4' : 'udp6' });
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

interface VxlanLink {
  readonly ifname?: string;
  readonly linkinfo?: { readonly info_data?: { readonly port?: number } };
}

function vxlanDevice(port: number): string | undefined {
  try {
    const text = execFileSync('ip', ['-j', '-d', 'link', 'show', 'type', 'vxlan'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const links = JSON.parse(text || '[]') as VxlanLink[];
    return links.find(({ linkinfo }) => linkinfo?.info_data?.port === port)?.ifname;
  } catch {
    return undefined;
  }
}

/** Inodes of the sockets with the port, from /proc/net/udp: sl local_address … inode, the port in hexadecimal. */
export function inodesIn(text: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(suffix))
    .map((columns) => columns[9] ?? '');
}

function inodesOf(port: number): string[] {
  return ['udp', 'udp6'].flatMap((table) => {
    try {
      return inodesIn(readFileSync(`/proc/thread-self/net/${table}`, 'utf8'), port);
    } catch {
      return [];
    }
  });
}

function processOf(inodes: readonly string[]): PortOwner | undefined {
  const names = new Set(inodes.map((inode) => `socket:[${inode}]`));
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (!hasOpen(pid, names)) continue;
    return { kind: 'process', pid: Number(pid), command: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() };
  }
  return undefined;
}

/** Processes end while one looks, and others' descriptors may be hidden. */
function hasOpen(pid: string, names: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => names.has(readlinkSync(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false;
  }
}
