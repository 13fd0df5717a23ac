/**
 * Programs of the host that have a port: their sockets as /proc/net lists them (kernel: Documentation/networking/
 * proc_net_tcp.rst), and for a message the program whose socket it is. What is read is of the main thread's network namespace,
 * which synchronous code leaves and comes back to, so reading is synchronous; a line for each connection of the host is gone over.
 *
 * SCTP is not looked at: its sockets are listed only where the module is loaded, and without their namespace.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { endianness } from 'node:os';
import { formatIpv4, formatIpv6 } from '../../wire/address.js';
import type { Protocol } from '../services/types.js';

export interface HostSocket {
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  /** Of the socket, by which its program is found. */
  readonly inode: string;
}

/** include/net/tcp_states.h: TCP_LISTEN; of UDP TCP_CLOSE, which is not connected. */
const OPEN = { TCP: '0A', UDP: '07' } as const;

const FILES = [
  ['TCP', 'tcp'],
  ['TCP', 'tcp6'],
  ['UDP', 'udp'],
  ['UDP', 'udp6'],
] as const;

/** Sockets that take what is sent to their port by anybody. */
export function hostSockets(): HostSocket[] {
  return FILES.flatMap(([protocol, file]) => readSockets(protocol, textOf(`/proc/self/net/${file}`)));
}

/** @param text of a file of /proc/net */
export function readSockets(protocol: 'TCP' | 'UDP', text: string): HostSocket[] {
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/);
    if (words[3] !== OPEN[protocol]) return [];
    const [address, port] = words[1].split(':');
    return [{ protocol, address: addressOf(address), port: Number.parseInt(port, 16), inode: words[9] }];
  });
}

/** The kernel prints 32 bits at a time, in its own byte order. An IPv4 address in IPv6 (RFC 4291 section 2.5.5.2) is IPv4. */
function addressOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex');
  if (endianness() === 'LE') bytes.swap32();
  const words = Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32BE(index * 4));
  if (words.length === 1) return formatIpv4(words[0]);
  const isMapped = words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  return isMapped ? formatIpv4(words[3]) : formatIpv6(words);
}

/** `nginx (pid 812)`; undefined where it cannot be found: it has gone, or is in another process namespace. */
export function programOf({ inode }: HostSocket): string | undefined {
  const pid = namesIn('/proc').find((name) => /^\d+$/.test(name) && hasSocket(name, inode));
  return pid === undefined ? undefined : `${textOf(`/proc/${pid}/comm`).trim()} (pid ${pid})`;
}

function hasSocket(pid: string, inode: string): boolean {
  return namesIn(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`);
}

/** Processes go while they are looked at. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** What the kernel gives to those who do not choose; as docker does, ports are chosen from there too. */
export function ephemeralPorts(): { readonly first: number; readonly last: number } {
  const words = textOf('/proc/sys/net/ipv4/ip_local_port_range').trim().split(/\s+/).map(Number);
  const [first = 32_768, last = 60_999] = words.length === 2 ? words : [];
  return { first, last };
}
