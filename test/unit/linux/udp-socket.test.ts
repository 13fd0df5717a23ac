/** The tunnel's sockets and the path MTU, on the loopback interface; no privilege needed. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { LinuxError } from '../../../src/linux/errno.js';
import { pathMtu } from '../../../src/linux/path-mtu.js';
import { closeTunnelSockets, openTunnelSockets, type TunnelSockets } from '../../../src/linux/udp-socket.js';

const hasIpv6 = readFileSync('/proc/net/if_inet6', 'utf8').includes('00000000000000000000000000000001');
const families = [
  { family: 4 as const, address: '127.0.0.1', table: '/proc/net/udp' },
  ...(hasIpv6 ? [{ family: 6 as const, address: '::1', table: '/proc/net/udp6' }] : []),
];
if (!hasIpv6) console.log('skipped: UDP over IPv6, the loopback interface has no IPv6 address');

const open: TunnelSockets[] = [];
afterEach(() => {
  for (const sockets of open.splice(0)) closeTunnelSockets(sockets);
});

/** On a port that nobody has. */
async function openAt(address: string, sources?: number): Promise<TunnelSockets> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4').bind(0, address);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  const sockets = openTunnelSockets({ address, port, sources });
  open.push(sockets);
  return sockets;
}

/** Of the kernel's sockets on these ports: what waits in their receive queues, bytes. */
function queued(table: string, ports: readonly number[]): Map<number, number> {
  const rows = readFileSync(table, 'utf8').trim().split('\n').slice(1);
  const columns = rows.map((row) => row.trim().split(/\s+/));
  const all = columns.map(([, local, , , queues]): [number, number] => [
    Number.parseInt(local.split(':')[1], 16),
    Number.parseInt(queues.split(':')[1], 16),
  ]);
  return new Map(all.filter(([port]) => ports.includes(port)));
}

function failure(action: () => unknown): LinuxError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(LinuxError);
    return error as LinuxError;
  }
  throw new Error('it did not fail');
}

describe.each(families)('tunnel sockets at $address', ({ family, address, table }) => {
  it('are one that receives and sixteen that send, each on a port of its own', async () => {
    const sockets = await openAt(address);
    expect(sockets).toMatchObject({ family, address, coalesces: true });
    expect(new Set([...sockets.sendFds, sockets.receiveFd]).size).toBe(17);
    expect(new Set([...sockets.sourcePorts, sockets.udpPort]).size).toBe(17);
    for (const port of sockets.sourcePorts) {
      expect(port).toBeGreaterThanOrEqual(49_152);
      expect(port).toBeLessThanOrEqual(65_535);
    }
    expect([...queued(table, [sockets.udpPort, ...sockets.sourcePorts]).keys()]).toHaveLength(17);
  });

  it('let nothing pile up that comes to the senders', async () => {
    const sockets = await openAt(address, 2);
    const stranger = createSocket(family === 4 ? 'udp4' : 'udp6');
    const ports = [...sockets.sourcePorts, sockets.udpPort];
    for (const port of ports) {
      for (let i = 0; i < 20; i++) {
        await new Promise((sent) => stranger.send(Buffer.alloc(500), port, address, sent));
      }
    }
    stranger.close();
    const waiting = queued(table, ports);
    expect(sockets.sourcePorts.map((port) => waiting.get(port))).toEqual([0, 0]);
    // The one that is there to receive shows that the figures are real.
    expect(waiting.get(sockets.udpPort)).toBeGreaterThan(20 * 500);
  });

  it('say that the port is taken, and leave nothing open', async () => {
    const { udpPort: port } = await openAt(address, 1);
    const begun = performance.now();
    const error = failure(() => openTunnelSockets({ address, port, busyMs: 50 }));
    expect(performance.now() - begun).toBeGreaterThanOrEqual(49);
    expect(error.code).toBe('TUNNEL_FAILED');
    expect(error.message).toMatch(/EADDRINUSE.*ss -lnu/);
  });
});

describe('openTunnelSockets', () => {
  it.each(['192.0.2.1', ...(hasIpv6 ? ['2001:db8::1'] : [])])('says that %s is not ours', (address) => {
    const error = failure(() => openTunnelSockets({ address, port: 4789 }));
    expect(error.code).toBe('TUNNEL_FAILED');
    expect(error.message).toMatch(/EADDRNOTAVAIL.*ip address/);
  });

  it.each(['', 'localhost', '1.2.3', '1.2.3.4.5', 'fe80::1%lo', '::g'])('refuses %o', (address) => {
    expect(failure(() => openTunnelSockets({ address, port: 4789 })).code).toBe('TUNNEL_FAILED');
  });

  it.each([0, 17, 1.5])('refuses %i senders', (sources) => {
    expect(() => openTunnelSockets({ address: '127.0.0.1', port: 4789, sources })).toThrow(RangeError);
  });
});

describe('pathMtu', () => {
  it.each(families)('is the MTU of the loopback interface for $address', ({ family, address }) => {
    const mtu = Number(readFileSync('/sys/class/net/lo/mtu', 'utf8'));
    // An IPv4 packet is never larger than 65,535.
    expect(pathMtu(address, address)).toBe(family === 4 ? Math.min(mtu, 65_535) : mtu);
  });

  it('fails for a local address that is not ours', () => {
    expect(() => pathMtu('127.0.0.1', '192.0.2.1')).toThrow('EADDRNOTAVAIL');
  });

  it('leaves no descriptor open', () => {
    const descriptors = (): number => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    for (let i = 0; i < 50; i++) {
      pathMtu('127.0.0.1', '127.0.0.1');
      expect(() => pathMtu('127.0.0.1', '192.0.2.1')).toThrow();
      expect(() => openTunnelSockets({ address: '192.0.2.1', port: 4789 })).toThrow();
    }
    expect(descriptors()).toBeLessThan(before + 50);
  });
});
