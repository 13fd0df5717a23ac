/**
 * Two data planes in worker threads, each with a pod and an end of the tunnel; no daemon.
 *
 *     pod near ── TAP ── data plane ── UDP ── near: eth0 ═══ veth, MTU 1500 ═══ far: eth0 ── … ── pod far
 *     10.50.1.2          io_uring             10.98.0.1                      10.98.0.2     poll   10.50.2.2
 *     fd50:1::2                               fd98::1                        fd98::2              fd50:2::2
 *
 * They run from dist/, since a worker thread needs JavaScript.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { offloadBits } from '../../src/control/host/tap.js';
import { DROP } from '../../src/dataplane/drop-reasons.js';
import type { Snapshot } from '../../src/dataplane/snapshot.js';
import { compileTables } from '../../src/dataplane/tables.js';
import type { Dataplane } from '../../src/dataplane/worker/handle.js';
import { probeIoUring } from '../../src/linux/io-uring.js';
import { withNamespace } from '../../src/linux/netns.js';
import { openTap, setHardwareAddress } from '../../src/linux/tun.js';
import { closeTunnelSockets, openTunnelSockets } from '../../src/linux/udp-socket.js';
import { isBuilt } from '../support/netns-dataplane.js';
import { restingShare } from '../support/netns-process.js';
import { runIn, transfer } from '../support/netns-programs.js';
import { FAR, type Family, NEAR, run, VethPair } from '../support/netns-udp.js';
import { WORKERS } from '../support/netns-workers.js';
import { isRoot } from './linux-support.js';

if (!isBuilt) console.log('skipped: the worker thread runs from dist/, npm run build makes it');

const HANDLE = new URL('../../dist/src/dataplane/worker/handle.js', import.meta.url);
const UDP_PORT = 4789;
const POD = 1;
const TUNNEL = 2;
const SIDES = ['near', 'far'] as const;
type Side = (typeof SIDES)[number];

const number = (side: Side): number => SIDES.indexOf(side) + 1;
const other = (side: Side): Side => (side === 'near' ? 'far' : 'near');
const vtep = (side: Side): string => `02:00:00:00:99:0${number(side)}`;
const podMac = (side: Side): string => `02:00:00:00:50:0${number(side)}`;
const prefixes = (side: Side): string[] => [`10.50.${number(side)}.0/24`, `fd50:${number(side)}::/64`];

function snapshot(side: Side, family: Family, peerMtu: number): Snapshot {
  const n = number(side);
  const gateways = [`10.50.${n}.1`, `fd50:${n}::1`];
  const toPeer = prefixes(other(side)).map((prefix) => ({
    table: 1,
    prefix,
    kind: 'peer' as const,
    peer: 1,
  }));
  const own = prefixes(side).map((prefix) => ({
    table: 1,
    prefix,
    kind: 'connected' as const,
    domain: 1,
  }));
  const local = gateways.map((address) => ({
    table: 1,
    prefix: `${address}/${address.includes(':') ? 128 : 32}`,
    kind: 'local' as const,
  }));
  const addresses = [`10.50.${n}.2`, `fd50:${n}::2`];
  return {
    generation: 1,
    ports: [
      {
        id: POD,
        name: 'pod',
        mac: podMac(side),
        addresses,
        attachment: { kind: 'domain', domain: 1 },
        routeTable: 1,
        mtu: 1500,
        guard: true,
      },
      {
        id: TUNNEL,
        name: 'tunnel',
        mac: vtep(side),
        addresses: [],
        attachment: { kind: 'tunnel', domain: 2 },
        routeTable: 1,
        mtu: 1450,
        guard: false,
      },
    ],
    domains: [
      { id: 1, name: 'pods', gatewayMac: '02:00:00:00:50:fe', gateways, learning: false },
      { id: 2, name: 'routed', gatewayMac: vtep(side), gateways, learning: false, vni: 42 },
    ],
    routes: [...own, ...local, ...toPeer],
    neighbours: addresses.map((address) => ({ domain: 1, address, mac: podMac(side), port: POD })),
    tunnel: { port: TUNNEL, domain: 2 },
    peers: [
      {
        id: 1,
        name: other(side),
        address: (side === 'near' ? FAR : NEAR)[family],
        port: UDP_PORT,
        mac: vtep(other(side)),
        prefixes: prefixes(other(side)),
        mtu: peerMtu,
      },
    ],
  };
}

describe.skipIf(!isRoot || !isBuilt)('the tunnel between two data planes', () => {
  let pair: VethPair;
  const planes: Partial<Record<Side, Dataplane>> = {};
  const tooBig: string[] = [];
  const podOf = (side: Side): string => `${pair[side]}p`;

  beforeEach(() => {
    pair = new VethPair();
  });
  afterEach(async () => {
    for (const side of SIDES) {
      await planes[side]?.stop();
      delete planes[side];
    }
    pair.remove();
    // Of a test that failed early there may be none.
    const made = run('ip', 'netns', 'list');
    for (const side of SIDES) if (made.includes(podOf(side))) run('ip', 'netns', 'del', podOf(side));
  });

  async function start(family: Family, peerMtu: number): Promise<void> {
    const handle = (await import(HANDLE.href)) as { Dataplane: typeof Dataplane };
    tooBig.length = 0;
    for (const side of SIDES) {
      // One over each, where io_uring can be had.
      const io = side === 'near' && probeIoUring().available ? 'uring' : 'poll';
      const plane = await handle.Dataplane.start({ io, workers: WORKERS, seed: 7 });
      planes[side] = plane;
      plane.onTooBig = (address) => tooBig.push(`${side} to ${address}`);
      await addPod(plane, side, io === 'poll');
      const address = (side === 'near' ? NEAR : FAR)[family];
      const sockets = withNamespace(pair[side], () => openTunnelSockets({ address, port: UDP_PORT }));
      await plane.addTunnel({ id: TUNNEL, name: 'tunnel', sockets });
      await plane.swap(compileTables(snapshot(side, family, peerMtu)));
    }
  }

  async function addPod(plane: Dataplane, side: Side, nonBlocking: boolean): Promise<void> {
    const name = podOf(side);
    const n = number(side);
    run('ip', 'netns', 'add', name);
    const tap = withNamespace(name, () => openTap({ name: 'eth0', mode: 'create', nonBlocking }));
    setHardwareAddress(tap.fd, Buffer.from(podMac(side).replaceAll(':', ''), 'hex'));
    run('ip', '-n', name, 'address', 'add', `10.50.${n}.2/24`, 'dev', 'eth0');
    run('ip', '-n', name, 'address', 'add', `fd50:${n}::2/64`, 'dev', 'eth0', 'nodad');
    run('ip', '-n', name, 'link', 'set', 'eth0', 'up');
    run('ip', '-n', name, 'route', 'add', 'default', 'via', `10.50.${n}.1`, 'mtu', '1450');
    run('ip', '-n', name, '-6', 'route', 'add', 'default', 'via', `fd50:${n}::1`, 'mtu', '1430');
    await plane.addPort({ id: POD, name: 'pod', fd: tap.fd, mtu: 1500, offloads: offloadBits(tap) });
  }

  it.each([4, 6] as const)('carries TCP both ways, rests, and loses no slot, over IPv%i', async (family) => {
    await start(family, family === 4 ? 1450 : 1430);
    for (const [from, to] of [
      ['near', 'far'],
      ['far', 'near'],
    ] as const) {
      for (const address of [`10.50.${number(to)}.2`, `fd50:${number(to)}::2`]) {
        const { sent, arrived } = await transfer(podOf(from), podOf(to), address, 8 << 20);
        expect(sent).toMatch(/^8388608 /);
        expect(arrived).toBe(sent);
      }
    }
    // Several datagrams in one message, both ways: fewer packets than segments.
    for (const side of SIDES) {
      const { counters } = planes[side]!;
      const bytes = counters.port(TUNNEL, 'txBytes');
      expect(bytes).toBeGreaterThan(16 << 20);
      expect(bytes / counters.port(TUNNEL, 'txPackets')).toBeGreaterThan(2000);
    }
    expect(await restingShare(process.pid, 1000, 0.1)).toBeLessThan(0.1);
    for (const side of SIDES) {
      const { slots, free, inFlight, held } = await planes[side]!.usage();
      expect(free + inFlight + held).toBe(slots);
    }
  });

  it('tells of a peer whose path is narrower than was thought, at most once a second', async () => {
    await start(4, 1500);
    run('ip', '-n', podOf('near'), 'route', 'replace', 'default', 'via', '10.50.1.1');
    const ping = (octets: number) =>
      runIn(
        podOf('near'),
        'ping',
        '-c',
        '3',
        '-i',
        '0.1',
        '-W',
        '0.5',
        '-M',
        'do',
        '-s',
        `${octets}`,
        '10.50.2.2',
      );
    expect((await ping(1400)).status).toBe(0);
    expect(tooBig).toEqual([]);
    expect((await ping(1472)).status).toBe(1);
    expect(tooBig).toEqual([`near to ${FAR[4]}`]);
    expect(planes.near!.counters.portDrops(TUNNEL, DROP['too-big'])).toBe(3);
  });

  it('refuses a second tunnel over io_uring, and gives the first one’s port back when it is removed', async () => {
    await start(4, 1450);
    for (const side of SIDES) {
      const plane = planes[side]!;
      const address = (side === 'near' ? NEAR : FAR)[4];
      const open = (port: number) => withNamespace(pair[side], () => openTunnelSockets({ address, port }));
      if (plane.io === 'uring') {
        const second = open(8472);
        await expect(plane.addTunnel({ id: 7, name: 'second', sockets: second })).rejects.toThrow('EBUSY');
        closeTunnelSockets(second);
      }
      expect(() => open(UDP_PORT)).toThrow('EADDRINUSE');
      await plane.removePort(TUNNEL);
      const again = open(UDP_PORT);
      await plane.addTunnel({ id: TUNNEL, name: 'tunnel', sockets: again });
    }
    const { status } = await runIn(podOf('near'), 'ping', '-c', '1', '-W', '2', '10.50.2.2');
    expect(status).toBe(0);
  });
});
