/**
 * The packet socket devices, each under its driver, before the conformance suite of devices: as a trunk and as one
 * VLAN, whose tag the outside sees and the device does not.
 *
 *     device under test ── packet socket ── vm0 ══ TAP fd, which a virtual machine would have, in a namespace of its own
 */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { afterAll } from 'vitest';
import { openRaw } from '../../src/control/host/raw.js';
import { Counters } from '../../src/dataplane/counters.js';
import type { Device, DeviceContext } from '../../src/dataplane/device.js';
import { PacketPool } from '../../src/dataplane/pool.js';
import type { Driver } from '../../src/dataplane/worker/driver.js';
import { PollDriver } from '../../src/dataplane/worker/poll-driver.js';
import { UringDriver } from '../../src/dataplane/worker/uring-driver.js';
import { closeEventfd, createEventfd } from '../../src/linux/eventfd.js';
import { probeIoUring } from '../../src/linux/io-uring.js';
import { withNamespace } from '../../src/linux/netns.js';
import { closeTap, openTap, type Tap } from '../../src/linux/tun.js';
import { deviceConformance } from '../conformance/device.js';
import type { DeviceHarness, Exceptions, HarnessFrame } from '../conformance/device-harness.js';
import { TapEnd } from '../support/netns-tap-end.js';
import { ip, isRoot } from './linux-support.js';

const MTU = 65_521;
const PORT = 5;
const VLAN = 12;
const NAMESPACE = `podwire-raw-${process.pid}`;
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

class RawHarness implements DeviceHarness {
  readonly context: DeviceContext = { pool: new PacketPool(600), counters: new Counters() };
  readonly device: Device;
  private readonly driver: Driver;
  private readonly tap: Tap;
  private readonly outside: TapEnd;
  private readonly wakeFd: number;
  private state: 'open' | 'closing' | 'closed' = 'open';

  constructor(kind: Driver['kind'], vlan: number | undefined) {
    const nonBlocking = kind === 'poll';
    this.wakeFd = createEventfd({ nonBlocking });
    this.driver = new { uring: UringDriver, poll: PollDriver }[kind](
      this.context,
      this.wakeFd,
      () => undefined,
    );
    this.tap = withNamespace(NAMESPACE, () => openTap({ name: 'vm0', mode: 'create', nonBlocking: true }));
    // A queueing discipline may leave packets to ksoftirqd, which on a busy machine takes its time.
    execFileSync('tc', ['-n', NAMESPACE, 'qdisc', 'replace', 'dev', 'vm0', 'root', 'noqueue']);
    ip('-n', NAMESPACE, 'link', 'set', 'vm0', 'mtu', String(MTU), 'arp', 'off', 'up');
    this.outside = new TapEnd(this.tap.fd, vlan);
    const raw = withNamespace(NAMESPACE, () => openRaw(undefined, { ifname: 'vm0', vlan, nonBlocking }));
    this.device = this.driver.openRaw({ port: PORT, name: 'vm0', reads: true, vlan, ...raw });
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
    ip('-n', NAMESPACE, 'link', 'set', 'vm0', 'down');
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
    closeTap(this.tap);
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

for (const vlan of [undefined, VLAN]) {
  const where = vlan === undefined ? 'a trunk' : 'a VLAN';
  const turn = vlan === undefined ? 'a VLAN does the same and more' : undefined;
  const exceptions: Exceptions = { all: unavailable, largest: 14 + MTU, turn };
  const noRing = probe.available ? undefined : probe.reason;
  deviceConformance(`packet socket over io_uring, ${where}`, () => new RawHarness('uring', vlan), {
    ...exceptions,
    all: unavailable ?? noRing,
  });
  deviceConformance(`packet socket over poll, ${where}`, () => new RawHarness('poll', vlan), exceptions);
}
