/**
 *     tunnel device ── UDP sockets ── near: eth0 ═══ veth ═══ far: eth0 ── plain UDP socket, tcpdump
 *
 * What the conformance suite cannot ask: what the wire sees, with the underlay's offloads and without, what the
 * kernel joins, and what the network's errors do.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { probeIoUring } from '../../src/linux/io-uring.js';
import { libc } from '../../src/linux/libc.js';
import { withNamespace } from '../../src/linux/netns.js';
import { pathMtu } from '../../src/linux/path-mtu.js';
import { SocketOption } from '../../src/linux/udp-abi.js';
import { closeTunnelSockets, openTunnelSockets } from '../../src/linux/udp-socket.js';
import { DatagramSession, hexOf, numbered, numberedSeries } from '../conformance/datagrams.js';
import { broken, Capture, matching, verified } from '../support/netns-capture.js';
import { missingPrograms } from '../support/netns-programs.js';
import { PORT, TUNNEL_PORT, TunnelHarness, type TunnelOptions } from '../support/netns-tunnel.js';
import { FAR, NEAR, PlainUdp, run, VethPair } from '../support/netns-udp.js';
import { isRoot } from './linux-support.js';

const missing = missingPrograms('tcpdump', 'tshark', 'ethtool');
if (missing !== undefined) console.log(`skipped: ${missing} is not installed`);

const kinds = [...(probeIoUring().available ? ['uring' as const] : []), 'poll' as const];
const cases = kinds.flatMap((kind) => [4 as const, 6 as const].map((family) => ({ kind, family })));

/** linux/udp.h */
const UDP_NO_CHECK6_TX = 101;
const SOL_UDP = 17;

const HEADERS = { 4: 28, 6: 48 };

/** Usable at once: without `nodad` an IPv6 address waits for the kernel's own thread, on a busy machine too long. */
function addAddress(namespace: string, family: 4 | 6, address: string): void {
  run('ip', '-n', namespace, 'addr', 'add', address, 'dev', 'eth0', ...(family === 6 ? ['nodad'] : []));
}

describe.skipIf(!isRoot || missing !== undefined)('the tunnel on the wire', () => {
  let pair: VethPair;
  let directory: string;
  beforeAll(() => {
    pair = new VethPair();
    directory = mkdtempSync(join(tmpdir(), 'podwire-tunnel-'));
  });
  afterAll(() => {
    pair.remove();
    rmSync(directory, { recursive: true });
  });

  function open(options: TunnelOptions): { harness: TunnelHarness; session: DatagramSession } {
    const harness = new TunnelHarness(pair, options);
    onTestFinished(() => harness.close());
    harness.settle();
    return { harness, session: new DatagramSession(harness) };
  }

  /** Several datagrams in one slot, and what they are. */
  function bundle(session: DatagramSession, count: number, size: number, last = size) {
    const datagrams = [...numberedSeries(count - 1, size), numbered(count - 1, last)];
    const slot = session.slotWith(Uint8Array.from(Buffer.concat(datagrams)), { gsoSize: size });
    return { datagrams, slot };
  }

  describe.each(cases)('over $kind, IPv$family', ({ kind, family }) => {
    it.each(['on', 'off'])(
      'sends bundles as datagrams that tshark accepts, offloads %s',
      async (offloads) => {
        pair.features('tx', offloads, 'tx-udp-segmentation', offloads);
        const { harness, session } = open({ kind, family });
        const capture = await Capture.start(pair.far, 'eth0', join(directory, 'capture'), 'udp');
        onTestFinished(() => capture.stop());
        const size = pair.mtu - HEADERS[family];
        const { datagrams, slot } = bundle(session, 40, size, 321);
        session.send([slot, session.slotWith(numbered(99))]);
        const received = harness.sent().map(({ bytes }) => bytes);
        expect(hexOf(received)).toEqual(hexOf([...datagrams, numbered(99)]));
        const packets = await capture.packets();
        // With offloads the capture sees what the card would: packets not cut yet, with sums not finished.
        if (offloads === 'on') {
          expect(packets.length).toBeLessThan(10);
          return;
        }
        expect(packets).toHaveLength(41);
        expect(broken(packets)).toEqual([]);
        expect(verified(packets, 'udpSum')).toBe(41);
        const ends = family === 4 ? { source: NEAR[4], dontFragment: '1' } : { source6: NEAR[6] };
        expect(matching(packets, ends)).toHaveLength(41);
      },
    );

    it('receives in one slot what the sender cut and the kernel has not', () => {
      pair.features('tx', 'on', 'tx-udp-segmentation', 'on');
      const { harness, session } = open({ kind, family });
      harness.outside.segment(1200);
      const datagrams = [...numberedSeries(30, 1200), numbered(30, 77)];
      const [slot, ...others] = session.receive([Uint8Array.from(Buffer.concat(datagrams))]);
      expect(others).toEqual([]);
      expect(session.pool.gsoSize[slot]).toBe(1200);
      expect(hexOf(session.datagramsOf(slot))).toEqual(hexOf(datagrams));
      session.send([slot]);
      expect(hexOf(harness.sent().map(({ bytes }) => bytes))).toEqual(hexOf(datagrams));
    });

    it('receives what the kernel joins, in order and whole', () => {
      pair.features('tx', 'off', 'tx-udp-segmentation', 'off', 'gro', 'on');
      onTestFinished(() => pair.features('gro', 'off'));
      const { harness, session } = open({ kind, family });
      harness.outside.segment(1200);
      const datagrams = numberedSeries(40, 1200);
      const slots = session.receive([Uint8Array.from(Buffer.concat(datagrams))]);
      expect(hexOf(slots.flatMap((slot) => session.datagramsOf(slot)))).toEqual(hexOf(datagrams));
      expect(slots.length).toBeLessThan(40);
      session.release(slots);
      session.expectSlots(0);
    });

    it('goes on after an address without a way, and a port without a listener', () => {
      const { harness, session } = open({ kind, family });
      const nowhere = family === 4 ? '203.0.113.1' : '2001:db8::1';
      const { slot } = bundle(session, 3, 50);
      session.send([session.slotWith(numbered(1), { remote: nowhere })]);
      expect([session.drops('device-error'), session.counts().sent]).toEqual([1, 0]);
      for (let i = 0; i < 3; i++) session.send([session.slotWith(numbered(2), { remotePort: 9 })]);
      session.send([slot]);
      expect(harness.sent()).toHaveLength(3);
      expect(session.receiveAll()).toEqual([]);
      expect(session.drops('device-error')).toBe(1);
      session.expectSlots(0);
    });

    it('gives the UDP port back when it is closed', () => {
      const { harness } = open({ kind, family });
      const again = () =>
        withNamespace(pair.near, () => openTunnelSockets({ address: NEAR[family], port: TUNNEL_PORT }));
      expect(again).toThrow('EADDRINUSE');
      harness.device.close();
      for (let i = 0; i < 10; i++) harness.driver.wait(1);
      closeTunnelSockets(again());
    });

    it('takes another tunnel up after the first, on the same port number', () => {
      const { harness } = open({ kind, family });
      harness.device.close();
      for (let i = 0; i < 10; i++) harness.driver.wait(1);
      const sockets = withNamespace(pair.near, () =>
        openTunnelSockets({ address: NEAR[family], port: TUNNEL_PORT, sources: 1 }),
      );
      const { family: sameFamily, receiveFd, sendFds } = sockets;
      const device = harness.driver.openTunnel({
        port: PORT,
        name: 'second',
        family: sameFamily,
        receiveFd,
        sendFds,
      });
      const session = new DatagramSession(Object.assign(Object.create(harness), { device }));
      const slots = session.receive(numberedSeries(3));
      expect(slots).toHaveLength(3);
      session.send(slots);
      const ports = harness.sent().map(({ port }) => port);
      expect(ports).toEqual(new Array(3).fill(sockets.sourcePorts[0]));
      device.close();
      let isClosed = false;
      harness.driver.closePort(PORT, () => {
        isClosed = true;
      });
      for (let i = 0; i < 10; i++) harness.driver.wait(1);
      expect(isClosed).toBe(true);
    });

    it('sends nothing that it was not asked to, and holds one slot at most, while it is idle', () => {
      const { harness } = open({ kind, family });
      const { counters, pool } = harness.context;
      const begun = performance.now();
      let waits = 0;
      for (; performance.now() - begun < 300; waits++) harness.driver.wait(100);
      // Each wait has slept for as long as it was told to.
      expect(waits).toBeLessThanOrEqual(4);
      expect(pool.capacity - pool.free).toBe(kind === 'uring' ? 1 : 0);
      expect(counters.total('sent')).toBe(0);
    });

    it('sends more at once than the submission queue holds', () => {
      const { harness, session } = open({ kind, family });
      const slot = session.slotWith(numbered(1, 40));
      session.pool.share(slot, 4999);
      session.send(new Array(5000).fill(slot));
      expect(harness.sent()).toHaveLength(5000);
      expect(session.counts()).toEqual({ sent: 5000, bytes: 200_000, dropped: 0 });
      session.expectSlots(0);
    });

    it('drops what does not fit the sockets’ buffers, at once, and goes on when there is room', () => {
      const { harness, session } = open({ kind, family });
      for (const fd of harness.sockets.sendFds) {
        libc().setsockopt(fd, 1, SocketOption.SO_SNDBUF, Int32Array.of(20_000), 4);
      }
      // Nobody answers for this address, so what is sent to it waits in the kernel, at the sockets' expense.
      const remote = family === 4 ? '10.98.0.77' : 'fd98::77';
      const begun = performance.now();
      session.send(numberedSeries(200, 1000).map((bytes) => session.slotWith(bytes, { remote })));
      // The kernel gives the address up after three seconds: to wait for that would be to wait.
      expect(performance.now() - begun).toBeLessThan(2500);
      const { sent, dropped } = session.counts();
      expect([sent + dropped, session.drops('tx-queue-full')]).toEqual([200, dropped]);
      expect(sent).toBeGreaterThan(5);
      expect(dropped).toBeGreaterThan(100);
      session.expectSlots(0);

      const length = family === 4 ? 24 : 64;
      addAddress(pair.far, family, `${remote}/${length}`);
      const neighbour = ['lladdr', '02:00:00:00:98:02', 'dev', 'eth0', 'nud', 'permanent'];
      const receiver = new PlainUdp(pair.far, remote, harness.remotePort, NEAR[family], TUNNEL_PORT);
      onTestFinished(() => {
        receiver.close();
        run('ip', '-n', pair.far, 'addr', 'del', `${remote}/${length}`, 'dev', 'eth0');
        run('ip', '-n', pair.near, 'neigh', 'del', remote, 'dev', 'eth0');
      });
      run('ip', '-n', pair.near, 'neigh', 'replace', remote, ...neighbour);
      expect(receiver.receive(50)).toHaveLength(sent);
      session.send([session.slotWith(numbered(1), { remote })]);
      expect(receiver.receive(50)).toHaveLength(1);
    });

    it('drops while its address is away, and goes on as before when it is back', () => {
      const { harness, session } = open({ kind, family });
      const length = family === 4 ? 24 : 64;
      const add = () => addAddress(pair.near, family, `${NEAR[family]}/${length}`);
      run('ip', '-n', pair.near, 'addr', 'del', `${NEAR[family]}/${length}`, 'dev', 'eth0');
      onTestFinished(() => {
        if (!run('ip', '-n', pair.near, 'addr').includes(`${NEAR[family]}/`)) add();
      });
      session.send([session.slotWith(numbered(1)), bundle(session, 5, 100).slot]);
      expect(session.counts()).toEqual({ sent: 0, bytes: 0, dropped: 2 });
      session.expectSlots(0);
      add();
      const { datagrams, slot } = bundle(session, 5, 100);
      session.send([slot]);
      expect(hexOf(harness.sent().map(({ bytes }) => bytes))).toEqual(hexOf(datagrams));
      expect(harness.device).toHaveProperty('segments', true);
      const [received, ...others] = session.receive([numbered(7)]);
      expect([hexOf(session.datagramsOf(received)), others]).toEqual([hexOf([numbered(7)]), []]);
      session.release([received]);
    });

    it('wakes once for its own sends at most', () => {
      const { harness, session } = open({ kind, family });
      session.send(numberedSeries(100).map((bytes) => session.slotWith(bytes)));
      const begun = performance.now();
      harness.driver.wait(50);
      expect(performance.now() - begun).toBeGreaterThan(40);
    });
  });

  it.each(kinds)('remembers that the kernel refuses bundles, over %s', (kind) => {
    const { harness, session } = open({ kind, family: 4, segments: 'refused' });
    session.send([session.slotWith(numbered(1))]);
    expect(harness.device).toHaveProperty('segments', true);
    session.send([bundle(session, 3, 100).slot]);
    expect(harness.device).toHaveProperty('segments', false);
    session.send([bundle(session, 3, 100).slot]);
    expect(harness.sent()).toHaveLength(7);
    session.expectSlots(0);
  });

  it.runIf(kinds.length === 2)('bounds what a cycle sends one by one over io_uring', () => {
    const { harness, session } = open({ kind: 'uring', family: 4, segments: 'off' });
    const { slot } = bundle(session, 64, 40);
    session.pool.share(slot, 199);
    session.send(new Array(200).fill(slot));
    // 128 of 64 datagrams are 8192.
    expect(session.counts()).toEqual({ sent: 128, bytes: 128 * 64 * 40, dropped: 72 });
    expect(session.drops('tx-queue-full')).toBe(72);
    expect(harness.sent()).toHaveLength(8192);
    session.expectSlots(0);
  });

  it.each(kinds)('takes IPv6 datagrams without a checksum (RFC 7348 section 5), over %s', (kind) => {
    const { harness, session } = open({ kind, family: 6 });
    harness.outside.option(SOL_UDP, UDP_NO_CHECK6_TX, 1);
    const slots = session.receive(numberedSeries(3));
    expect(slots).toHaveLength(3);
    session.release(slots);
  });
});

/**
 *     near: eth0 10.98.0.1 ═══ far: eth0 10.98.0.2, forwards, eth1 ═══ MTU 1400 ═══ 10.97.0.2 in `end`
 */
describe.skipIf(!isRoot)('the tunnel and the path MTU', () => {
  it.each(kinds)('drops and says so, once a router has said that the path is narrow, over %s', (kind) => {
    const pair = new VethPair();
    onTestFinished(() => pair.remove());
    const end = `${pair.near}e`;
    run('ip', 'netns', 'add', end);
    onTestFinished(() => {
      run('ip', 'netns', 'del', end);
    });
    const far = ['-n', pair.far];
    run(
      'ip',
      ...far,
      'link',
      'add',
      'eth1',
      'mtu',
      '1400',
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      end,
    );
    run('ip', ...far, 'link', 'set', 'eth1', 'up');
    run('ip', ...far, 'addr', 'add', '10.97.0.1/24', 'dev', 'eth1');
    run('ip', '-n', end, 'link', 'set', 'eth0', 'up');
    run('ip', '-n', end, 'addr', 'add', '10.97.0.2/24', 'dev', 'eth0');
    run('ip', '-n', end, 'route', 'add', 'default', 'via', '10.97.0.1');
    run('ip', '-n', pair.near, 'route', 'add', '10.97.0.0/24', 'via', FAR[4]);
    run('ip', 'netns', 'exec', pair.far, 'sysctl', '-qw', 'net.ipv4.ip_forward=1');

    const harness = new TunnelHarness(pair, { kind, family: 4 });
    onTestFinished(() => harness.close());
    const receiver = new PlainUdp(end, '10.97.0.2', harness.remotePort, NEAR[4], TUNNEL_PORT);
    onTestFinished(() => receiver.close());
    harness.settle();
    const session = new DatagramSession(harness);
    const remote = '10.97.0.2';
    const mtu = (): number => withNamespace(pair.near, () => pathMtu(remote, NEAR[4]));

    expect(mtu()).toBe(1500);
    // The first is lost at the router, which says why; the second is refused here.
    session.send([session.slotWith(numbered(1, 1472), { remote })]);
    expect(receiver.receive(50)).toEqual([]);
    session.send([session.slotWith(numbered(2, 1472), { remote })]);
    session.send([session.slotWith(numbered(2, 4416), { remote, gsoSize: 1472 })]);
    expect([session.drops('too-big'), session.counts().sent]).toEqual([2, 1]);
    expect(harness.refused).toEqual([remote]);
    expect(mtu()).toBe(1400);
    session.send([session.slotWith(numbered(3, 1372), { remote })]);
    session.send([session.slotWith(numbered(4, 4116), { remote, gsoSize: 1372 })]);
    expect(receiver.receive(50).map(({ bytes }) => bytes.length)).toEqual([1372, 1372, 1372, 1372]);
    session.expectSlots(0);
  });
});
