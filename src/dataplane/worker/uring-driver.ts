/**
 * The io_uring driver: all reads, writes and the control side's wake-up go through one ring, so a poll cycle
 * is one system call.
 *
 * Writes to a TAP and reads that do not wait complete while they are submitted. When a cycle queues writes
 * only, the next wait asks for one completion more than there are writes, and so sleeps until something has
 * arrived instead of waking up for its own writes.
 */
import { Errno, SystemError } from '../../linux/errno.js';
import { IoUring } from '../../linux/io-uring.js';
import type { SubmissionQueue } from '../../linux/io-uring-submission.js';
import { closeFile } from '../../linux/libc.js';
import { MemoryAddress } from '../../linux/memory.js';
import { MAX_PORTS } from '../constants.js';
import type { Device, DeviceContext } from '../device.js';
import { OPERATION, type UringQueue, UringTap, userData } from '../devices/tap-uring.js';
import type { DownListener, Driver, TapPort } from './driver.js';

const ENTRIES = 2048;
const COMPLETIONS = 16_384;
const MIN_FILES = 64;

/** How soon ports that got no slot for a read are tried again (ms). */
const STARVED_WAIT = 1;

/** Address in the packet memory, before the first slot, that the wake-up's eight bytes are read to. */
const WAKE_BUFFER = 64;

/** User data of the wake-up read and of cancellations. */
const WAKE = userData(OPERATION.CONTROL, 0, 1);
const CANCEL = userData(OPERATION.CONTROL, 0, 2);

export class UringDriver implements Driver, UringQueue {
  readonly kind = 'uring';
  readonly ready: Device[] = new Array(MAX_PORTS);
  readyCount = 0;
  readonly address: MemoryAddress;
  private readonly ring: IoUring;
  private readonly taps: (UringTap | undefined)[] = new Array(MAX_PORTS).fill(undefined);
  /** Ports whose reads ended since they were armed. */
  private readonly touched = new Uint16Array(MAX_PORTS);
  private readonly isTouched = new Uint8Array(MAX_PORTS);
  private touchedCount = 0;
  private readonly closing = new Map<number, () => void>();
  private readonly wakeFile: number;
  /** Writes prepared since the last wait; UringTap counts them. */
  queuedWrites = 0;

  constructor(
    private readonly context: DeviceContext,
    wakeFd: number,
    private readonly onDown: DownListener,
  ) {
    const { ring, files } = openRing();
    this.ring = ring;
    this.address = new MemoryAddress(context.pool.memory.buffer as SharedArrayBuffer);
    this.wakeFile = files - 1;
    ring.setFile(this.wakeFile, wakeFd);
    this.armWake();
  }

  get sq(): SubmissionQueue {
    return this.ring.sq;
  }

  openTap(tap: TapPort): Device {
    if (tap.port >= this.wakeFile) throw new SystemError(Errno.EMFILE, 'io_uring', `port ${tap.port}`);
    this.ring.setFile(tap.port, tap.fd);
    const device = new UringTap(tap, this.context, this);
    this.taps[tap.port] = device;
    this.touch(tap.port);
    return device;
  }

  closeTap(port: number, closed: () => void): void {
    const tap = this.taps[port];
    if (tap === undefined) {
      closed();
      return;
    }
    tap.close();
    this.closing.set(port, closed);
    if (this.sq.space() === 0) this.submitNow();
    this.sq.cancelFile(port, CANCEL);
  }

  wait(timeout: number): boolean {
    const writes = this.armTouched();
    this.readyCount = 0;
    this.submit(writes, this.touchedCount > 0 ? STARVED_WAIT : timeout);
    const signalled = this.reap();
    this.collectReady();
    if (this.closing.size > 0) this.finishClosing();
    return signalled;
  }

  inFlight(): number {
    return this.taps.reduce((sum, tap) => sum + (tap?.inFlight ?? 0), 0);
  }

  submitNow(): void {
    const result = this.ring.submit(0);
    if (result < 0 && !isOrdinary(result)) throw new SystemError(-result, 'io_uring_enter');
  }

  close(): void {
    this.ring.close();
    for (const tap of this.taps) if (tap !== undefined) closeFile(tap.tap.fd);
  }

  /**
   * Queues the next reads of every port whose reads ended. Answers how many completions to wait for: at once,
   * where a read that does not wait is among them, else one that is not of our own writes.
   */
  private armTouched(): number {
    let isImmediate = false;
    let starved = 0;
    for (let i = 0; i < this.touchedCount; i++) {
      const port = this.touched[i];
      this.isTouched[port] = 0;
      const tap = this.taps[port];
      if (tap === undefined) continue;
      if (tap.arm()) isImmediate = true;
      if (tap.isStarved) {
        this.isTouched[port] = 1;
        this.touched[starved++] = port;
      }
    }
    this.touchedCount = starved;
    const writes = this.queuedWrites;
    this.queuedWrites = 0;
    return isImmediate ? 1 : writes + 1;
  }

  private submit(waitFor: number, timeout: number): void {
    const result = timeout < 0 ? this.ring.submit(waitFor) : this.ring.submitWithTimeout(waitFor, timeout);
    if (result < 0 && !isOrdinary(result)) throw new SystemError(-result, 'io_uring_enter');
  }

  private reap(): boolean {
    const { cq } = this.ring;
    const count = cq.count();
    let signalled = false;
    for (let i = 0; i < count; i++) {
      const data = cq.userData(i);
      if (data === WAKE) signalled = true;
      else if (data !== CANCEL) this.complete(data, cq.result(i));
    }
    cq.advance(count);
    if (signalled) this.armWake();
    return signalled;
  }

  private complete(data: number, result: number): void {
    const port = (data >>> 16) & (MAX_PORTS - 1);
    const tap = this.taps[port]!;
    const operation = data >>> 28;
    if (operation === OPERATION.WRITE) {
      tap.writeDone(data & 0xffff, result);
      return;
    }
    if (!tap.readDone(operation, data & 0xffff, result)) this.onDown(port, -result);
    this.touch(port);
  }

  private touch(port: number): void {
    if (this.isTouched[port] === 1) return;
    this.isTouched[port] = 1;
    this.touched[this.touchedCount++] = port;
  }

  private collectReady(): void {
    for (let i = 0; i < this.touchedCount; i++) {
      const tap = this.taps[this.touched[i]];
      if (tap?.hasArrived) this.ready[this.readyCount++] = tap;
    }
  }

  private finishClosing(): void {
    for (const [port, closed] of this.closing) {
      const tap = this.taps[port]!;
      if (tap.inFlight > 0) continue;
      this.closing.delete(port);
      this.taps[port] = undefined;
      this.ring.clearFile(port);
      closeFile(tap.tap.fd);
      closed();
    }
  }

  private armWake(): void {
    if (this.sq.space() === 0) this.submitNow();
    this.sq.read(this.wakeFile, this.address.low(WAKE_BUFFER), this.address.high(WAKE_BUFFER), 8, WAKE);
  }
}

/** A registered-file table is at most as large as the limit on open files. */
function openRing(): { ring: IoUring; files: number } {
  for (let files = MAX_PORTS + 1; ; files = files >> 1) {
    try {
      return { ring: new IoUring({ entries: ENTRIES, completionEntries: COMPLETIONS, files }), files };
    } catch (error) {
      const isTooMany = error instanceof SystemError && error.code === 'EMFILE';
      if (!isTooMany || files < MIN_FILES) throw error;
    }
  }
}

/** Results of a submit that mean "look at the completions and go on". */
function isOrdinary(result: number): boolean {
  return (
    result === -Errno.EINTR || result === -Errno.ETIME || result === -Errno.EBUSY || result === -Errno.EAGAIN
  );
}
