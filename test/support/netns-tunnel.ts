/** The tunnel's device on real sockets, under its driver, in a namespace of a VethPair. */
import { Counters } from '../../src/dataplane/counters.js';
import type { Device, DeviceContext } from '../../src/dataplane/device.js';
import { addressText } from '../../src/dataplane/devices/remote.js';
import { PacketPool } from '../../src/dataplane/pool.js';
import type { Driver } from '../../src/dataplane/worker/driver.js';
import { PollDriver } from '../../src/dataplane/worker/poll-driver.js';
import { UringDriver } from '../../src/dataplane/worker/uring-driver.js';
import { closeEventfd, createEventfd } from '../../src/linux/eventfd.js';
import { check, libc } from '../../src/linux/libc.js';
import { withNamespace } from '../../src/linux/netns.js';
import { openTunnelSockets, type TunnelSockets } from '../../src/linux/udp-socket.js';
import type { DatagramHarness } from '../conformance/datagrams.js';
import { FAR, type Family, NEAR, PlainUdp, type Received, type VethPair } from './netns-udp.js';

export const PORT = 5;
export const TUNNEL_PORT = 4789;
/** Captures take it for one without a protocol of its own. */
export const REMOTE_PORT = 5001;

/** How long a completion may take that is on its way (ms). */
const REST = 5;

/** asm-generic/socket.h: no checksums, with which the kernel refuses to cut a message into datagrams. */
const SO_NO_CHECK = 11;

export interface TunnelOptions {
  readonly kind: Driver['kind'];
  readonly family: Family;
  /** What becomes of several datagrams in one slot: 'off' is our own doing, 'refused' the kernel's. */
  readonly segments?: 'off' | 'refused';
}

export class TunnelHarness implements DatagramHarness {
  readonly context: DeviceContext = { pool: new PacketPool(600), counters: new Counters() };
  readonly device: Device;
  readonly sockets: TunnelSockets;
  readonly outside: PlainUdp;
  readonly refused: string[] = [];
  readonly remote: string;
  readonly remotePort = REMOTE_PORT;
  readonly otherFamily: string;
  readonly pathMtu: number;
  readonly driver: Driver;
  private readonly wakeFd: number;
  private state: 'open' | 'closing' | 'closed' = 'open';

  constructor(pair: VethPair, options: TunnelOptions) {
    const { kind, family } = options;
    this.remote = FAR[family];
    this.otherFamily = FAR[family === 4 ? 6 : 4];
    this.pathMtu = pair.mtu;
    this.outside = new PlainUdp(pair.far, FAR[family], REMOTE_PORT, NEAR[family], TUNNEL_PORT);
    this.wakeFd = createEventfd({ nonBlocking: kind === 'poll' });
    const Kind = { uring: UringDriver, poll: PollDriver }[kind];
    this.driver = new Kind(
      this.context,
      this.wakeFd,
      () => undefined,
      (words, at) => this.refused.push(addressText(words, at)),
    );
    this.sockets = withNamespace(pair.near, () =>
      openTunnelSockets({ address: NEAR[family], port: TUNNEL_PORT }),
    );
    if (options.segments === 'refused') this.refuseSegments();
    this.device = this.driver.openTunnel({
      port: PORT,
      name: 'tunnel',
      ...this.sockets,
      segments: options.segments !== 'off',
    });
    const close = this.device.close.bind(this.device);
    // The driver closes a device; the suite does it at the device itself.
    this.device.close = () => {
      close();
      this.closeAtDriver();
    };
  }

  inject(datagrams: readonly Uint8Array[]): void {
    for (const bytes of datagrams) this.outside.send(bytes);
  }

  sent(): Received[] {
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

  private refuseSegments(): void {
    const one = Int32Array.of(1);
    for (const fd of this.sockets.sendFds) {
      check(libc().setsockopt(fd, 1, SO_NO_CHECK, one, 4), 'setsockopt SO_NO_CHECK');
    }
  }

  private closeAtDriver(): void {
    if (this.state !== 'open') return;
    this.state = 'closing';
    this.driver.closePort(PORT, () => {
      this.state = 'closed';
    });
  }
}
