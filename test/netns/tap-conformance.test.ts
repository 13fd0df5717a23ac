/**
 * The TAP devices, each under its driver, before the conformance suite of devices.
 *
 *     device under test ── TAP fd ══ eth0 ── packet socket, in a namespace without addresses
 */
import { existsSync, writeFileSync } from 'node:fs';
import { afterAll } from 'vitest';
import { offloadBits } from '../../src/control/host/tap.js';
import { Counters } from '../../src/dataplane/counters.js';
import type { Device, DeviceContext } from '../../src/dataplane/device.js';
import { PacketPool } from '../../src/dataplane/pool.js';
import type { Driver } from '../../src/dataplane/worker/driver.js';
import { PollDriver } from '../../src/dataplane/worker/poll-driver.js';
import { UringDriver } from '../../src/dataplane/worker/uring-driver.js';
import { closeEventfd, createEventfd } from '../../src/linux/eventfd.js';
import { probeIoUring } from '../../src/linux/io-uring.js';
import { withNamespace } from '../../src/linux/netns.js';
import { openTap } from '../../src/linux/tun.js';
import { deviceConformance } from '../conformance/device.js';
import type { DeviceHarness, Exceptions, HarnessFrame } from '../conformance/device-harness.js';
import { PacketSocket } from '../support/netns-packet-socket.js';
import { ip, isRoot } from './linux-support.js';

const MTU = 65_521;
const PORT = 5;
const NAMESPACE = `podwire-tap-${process.pid}`;
/** How long a completion may take that is on its way (ms). */
const REST = 2;

const unavailable = !isRoot ? 'needs root' : existsSync('/dev/net/tun') ? undefined : 'needs /dev/net/tun';
const probe = probeIoUring();

if (unavailable === undefined) {
  ip('netns', 'add', NAMESPACE);
  // The kernel says nothing of its own on an interface without IPv6.
  withNamespace(NAMESPACE, () => writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1'));
  afterAll(() => {
    ip('netns', 'del', NAMESPACE);
  });
}

class TapHarness implements DeviceHarness {
  readonly context: DeviceContext = { pool: new PacketPool(600), counters: new Counters() };
  readonly device: Device;
  private readonly driver: Driver;
  private readonly outside: PacketSocket;
  private readonly wakeFd: number;
  private state: 'open' | 'closing' | 'closed' = 'open';

  constructor(kind: Driver['kind']) {
    const nonBlocking = kind === 'poll';
    this.wakeFd = createEventfd({ nonBlocking });
    this.driver = new { uring: UringDriver, poll: PollDriver }[kind](
      this.context,
      this.wakeFd,
      () => undefined,
    );
    const tap = withNamespace(NAMESPACE, () => openTap({ name: 'eth0', mode: 'create', nonBlocking }));
    ip('-n', NAMESPACE, 'link', 'set', 'eth0', 'mtu', String(MTU), 'up');
    this.outside = withNamespace(NAMESPACE, () => new PacketSocket('eth0'));
    this.device = this.driver.openTap({
      port: PORT,
      name: 'eth0',
      fd: tap.fd,
      reads: true,
      mtu: MTU,
      offloads: offloadBits(tap),
    });
    const close = this.device.close.bind(this.device);
    // The driver closes a device; the suite does it at the device itself.
    this.device.close = () => {
      close();
      this.closeAtDriver();
    };
  }

  inject(frames: readonly HarnessFrame[]): void {
    for (const frame of frames) this.outside.send(frame);
  }

  sent(): HarnessFrame[] {
    return this.outside.receive();
  }

  settle(): void {
    for (let idle = 0; idle < 2; idle++) {
      const before = this.driver.inFlight();
      this.driver.wait(REST);
      if (this.driver.readyCount > 0) return;
      if (this.driver.inFlight() !== before) idle = 0;
    }
  }

  held(): number {
    return this.driver.inFlight();
  }

  fail(): void {
    ip('-n', NAMESPACE, 'link', 'set', 'eth0', 'down');
  }

  turn(): void {
    this.driver.wait(0);
    this.outside.turn();
    for (let tries = 0; tries < 100; tries++) {
      if (this.driver.readyCount > 0) return;
      this.driver.wait(REST);
    }
  }

  close(): void {
    this.device.close();
    for (let tries = 0; this.state !== 'closed' && tries < 100; tries++) this.driver.wait(REST);
    this.driver.close();
    this.outside.close();
    closeEventfd(this.wakeFd);
  }

  private closeAtDriver(): void {
    if (this.state !== 'open') return;
    this.state = 'closing';
    this.driver.closePort(PORT, () => {
      this.state = 'closed';
    });
  }
}

/** The kernel lets a packet socket send what its interface's MTU allows. */
const exceptions: Exceptions = { all: unavailable, largest: 14 + MTU };
const noRing = probe.available ? undefined : probe.reason;

deviceConformance('TAP over io_uring', () => new TapHarness('uring'), {
  ...exceptions,
  all: unavailable ?? noRing,
});
deviceConformance('TAP over poll', () => new TapHarness('poll'), exceptions);
