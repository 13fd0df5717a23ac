/**
 * The poll driver: poll(2) over all devices and the control side's eventfd, then read and write one packet a call.
 */
import { Errno } from '../../linux/errno.js';
import { drainEventfd } from '../../linux/eventfd.js';
import { MemoryAddress } from '../../linux/memory.js';
import { MessageIo } from '../../linux/message-io.js';
import { PacketMessages } from '../../linux/packet-message.js';
import { MemoryIo, PollEvents, PollSet } from '../../linux/poll.js';
import { MessageTable } from '../../linux/udp-message.js';
import { MAX_PORTS } from '../constants.js';
import type { Device, DeviceContext } from '../device.js';
import { LinkWatch } from '../devices/link-watch.js';
import type { PollDevice } from '../devices/poll-device.js';
import { PollRaw } from '../devices/raw-poll.js';
import { PollTap } from '../devices/tap-poll.js';
import { type TooBigListener, TooBigNotices } from '../devices/too-big-notices.js';
import { PollTunnel } from '../devices/tunnel-poll.js';
import type { DownListener, Driver, RawPort, TapPort, TunnelPort } from './driver.js';

/** Place of the control side's eventfd in the poll set; port p is at p + 1. */
const WAKE = 0;

export class PollDriver implements Driver {
  readonly kind = 'poll';
  readonly ready: Device[] = new Array(MAX_PORTS);
  readyCount = 0;
  private readonly devices: (PollDevice | undefined)[] = [];
  private readonly set = new PollSet(MAX_PORTS + 1);
  private readonly address: MemoryAddress;
  private readonly io: MemoryIo;
  private readonly tooBig: TooBigNotices;
  private readonly watch: LinkWatch;

  constructor(
    private readonly context: DeviceContext,
    private readonly wakeFd: number,
    private readonly onDown: DownListener,
    onTooBig: TooBigListener = () => {},
  ) {
    this.address = new MemoryAddress(context.pool.memory.buffer as SharedArrayBuffer);
    this.io = new MemoryIo(this.address);
    this.tooBig = new TooBigNotices(onTooBig);
    this.watch = new LinkWatch((port) => this.goDown(port));
    this.set.set(WAKE, wakeFd, PollEvents.POLLIN);
  }

  openTap(tap: TapPort): Device {
    return this.open(new PollTap(tap, this.context, this.io));
  }

  openRaw(raw: RawPort): Device {
    return this.open(
      new PollRaw(raw, this.context, new MessageIo(new PacketMessages(1, this.address)), this.watch),
    );
  }

  openTunnel(tunnel: TunnelPort): Device {
    return this.open(
      new PollTunnel(tunnel, this.context, new MessageIo(new MessageTable(1, this.address)), this.tooBig),
    );
  }

  closePort(port: number, closed: () => void): void {
    const device = this.devices[port];
    if (device !== undefined) {
      device.close();
      this.set.clear(port + 1);
      this.devices[port] = undefined;
      device.closeFiles();
    }
    closed();
  }

  wait(timeout: number): boolean {
    this.reportFailures();
    this.readyCount = 0;
    const isBusy = this.devices.some((device) => device?.mayHaveMore === true);
    if (this.watch.isActive) this.watch.look();
    const longest = this.watch.isActive ? this.watch.limit(timeout) : timeout;
    this.set.wait(isBusy ? 0 : longest);
    for (let port = 0; port < this.devices.length; port++) {
      const device = this.devices[port];
      if (device === undefined) continue;
      if (device.mayHaveMore || this.set.ready(port + 1) !== 0) this.ready[this.readyCount++] = device;
    }
    if (this.set.ready(WAKE) === 0) return false;
    drainEventfd(this.wakeFd);
    return true;
  }

  inFlight(): number {
    return 0;
  }

  close(): void {
    for (const device of this.devices) device?.closeFiles();
  }

  private open(device: PollDevice): Device {
    this.devices[device.port] = device;
    this.set.set(device.port + 1, device.pollFd, PollEvents.POLLIN);
    return device;
  }

  private goDown(port: number): void {
    this.set.clear(port + 1);
    this.onDown(port, Errno.ENODEV);
  }

  /** A vanished interface is always ready with an error: it leaves the poll set, or the loop would spin. */
  private reportFailures(): void {
    for (let i = 0; i < this.readyCount; i++) {
      const device = this.ready[i] as PollDevice;
      if (device.failure === 0 || this.devices[device.port] !== device) continue;
      this.set.clear(device.port + 1);
      this.onDown(device.port, device.failure);
      device.failure = 0;
    }
  }
}
