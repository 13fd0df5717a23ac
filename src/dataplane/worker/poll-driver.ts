/**
 * The poll driver: poll(2) over all TAPs and the control side's eventfd, then read and write one packet a call.
 */
import { drainEventfd } from '../../linux/eventfd.js';
import { closeFile } from '../../linux/libc.js';
import { MemoryAddress } from '../../linux/memory.js';
import { MemoryIo, PollEvents, PollSet } from '../../linux/poll.js';
import { MAX_PORTS } from '../constants.js';
import type { Device, DeviceContext } from '../device.js';
import { PollTap } from '../devices/tap-poll.js';
import type { DownListener, Driver, TapPort } from './driver.js';

/** Place of the control side's eventfd in the poll set; port p is at p + 1. */
const WAKE = 0;

export class PollDriver implements Driver {
  readonly kind = 'poll';
  readonly ready: Device[] = new Array(MAX_PORTS);
  readyCount = 0;
  private readonly taps: (PollTap | undefined)[] = [];
  private readonly set = new PollSet(MAX_PORTS + 1);
  private readonly io: MemoryIo;

  constructor(
    private readonly context: DeviceContext,
    private readonly wakeFd: number,
    private readonly onDown: DownListener,
  ) {
    this.io = new MemoryIo(new MemoryAddress(context.pool.memory.buffer as SharedArrayBuffer));
    this.set.set(WAKE, wakeFd, PollEvents.POLLIN);
  }

  openTap(tap: TapPort): Device {
    const device = new PollTap(tap, this.context, this.io);
    this.taps[tap.port] = device;
    this.set.set(tap.port + 1, tap.fd, PollEvents.POLLIN);
    return device;
  }

  closeTap(port: number, closed: () => void): void {
    const tap = this.taps[port];
    if (tap !== undefined) {
      tap.close();
      this.set.clear(port + 1);
      this.taps[port] = undefined;
      closeFile(tap.tap.fd);
    }
    closed();
  }

  wait(timeout: number): boolean {
    this.reportFailures();
    this.readyCount = 0;
    const isBusy = this.taps.some((tap) => tap?.mayHaveMore === true);
    this.set.wait(isBusy ? 0 : timeout);
    for (let port = 0; port < this.taps.length; port++) {
      const tap = this.taps[port];
      if (tap === undefined) continue;
      if (tap.mayHaveMore || this.set.ready(port + 1) !== 0) this.ready[this.readyCount++] = tap;
    }
    if (this.set.ready(WAKE) === 0) return false;
    drainEventfd(this.wakeFd);
    return true;
  }

  inFlight(): number {
    return 0;
  }

  close(): void {
    for (const tap of this.taps) if (tap !== undefined) closeFile(tap.tap.fd);
  }

  /** A vanished interface is always ready with an error: it leaves the poll set, or the loop would spin. */
  private reportFailures(): void {
    for (let i = 0; i < this.readyCount; i++) {
      const tap = this.ready[i] as PollTap;
      if (tap.failure === 0 || this.taps[tap.port] !== tap) continue;
      this.set.clear(tap.port + 1);
      this.onDown(tap.port, tap.failure);
      tap.failure = 0;
    }
  }
}
