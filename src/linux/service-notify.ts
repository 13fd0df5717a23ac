/**
 * Tells the service manager how far this process is: one datagram to the unix socket that it names in NOTIFY_SOCKET, the
 * protocol of sd_notify(3). Node has no unix datagram sockets, and `systemd-notify` would be another process, whose
 * word the manager takes only with NotifyAccess=all. Without NOTIFY_SOCKET nothing happens.
 */
import { SystemError } from './errno.js';
import { check, closeFile, libc } from './libc.js';

/** sys/socket.h, sys/un.h; struct sockaddr_un { u16 family; char path[108] } */
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const FAMILY_BYTES = 2;
const PATH_BYTES = 108;

/** State as sd_notify(3) words it. */
export const ServiceState = { READY: 'READY=1', STOPPING: 'STOPPING=1' } as const;
export type ServiceState = (typeof ServiceState)[keyof typeof ServiceState];

/**
 * @param socket what NOTIFY_SOCKET says: an absolute path, or `@` and a name in the abstract namespace
 * @param status a line for `systemctl status`
 * @returns whether there was anybody to tell; throws SystemError where the socket does not take it
 */
export function notifyService(
  state: ServiceState,
  status: string,
  socket = process.env.NOTIFY_SOCKET,
): boolean {
  if (socket === undefined || socket === '') return false;
  const address = unixAddress(socket);
  const message = Buffer.from(`${state}\nSTATUS=${status.replace(/\n/g, ' ')}\n`);
  const c = libc();
  const fd = check(c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket');
  try {
    check(c.sendto(fd, message, message.length, 0, address, address.length), 'sendto', socket);
  } finally {
    closeFile(fd);
  }
  return true;
}

/** The length of an abstract name counts: octets of zero behind it would be another name. */
function unixAddress(socket: string): Buffer {
  const isAbstract = socket.startsWith('@');
  const path = Buffer.from(isAbstract ? `\0${socket.slice(1)}` : `${socket}\0`);
  if (path.length > PATH_BYTES || !/^[@/]/.test(socket))
    throw new SystemError(ENAMETOOLONG, 'sendto', socket);
  const address = Buffer.alloc(FAMILY_BYTES + path.length);
  address.writeUInt16LE(AF_UNIX, 0);
  path.copy(address, FAMILY_BYTES);
  return address;
}

/** What the kernel would say. */
const ENAMETOOLONG = 36;
