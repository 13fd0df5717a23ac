/**
 * The io_uring driver: all reads, writes and the control side's wake-up go through one ring, so a poll cycle
 * is one system call.
 *
 * Writes, to a TAP or to a socket, and reads that do not wait complete while they are submitted. When a cycle
 * queues writes only, the next wait asks for one completion more than there are writes, and so sleeps until
 * something has arrived instead of waking up for its own writes.
 */
import { Errno, SystemError } from '../../linux/errno.js';
import { IoUring } from '../../linux/io-uring.js';
import type { SubmissionQueue } from '../../linux/io-uring-submission.js';
import { MemoryAddress } from '../../linux/memory.js';
import { TUNNEL_SOURCES } from '../../linux/udp-socket.js';
import { MAX_PORTS } from '../constants.js';
import type { Device, DeviceContext } from '../device.js';
import { LinkWatch } from '../devices/link-watch.js';
import { UringRaw } from '../devices/raw-uring.js';
import { UringTap } from '../devices/tap-uring.js';
import { type TooBigListener, TooBigNotices } from '../devices/too-big-notices.js';
import { UringTunnel } from '../devices/tunnel-uring.js';
import { OPERATION, type UringDevice, type UringQueue, userData } from '../devices/uring-device.js';
import type { DownListener, Driver, RawPort, TapPort, TunnelPort } from './driver.js';

const ENTRIES = 2048;
const COMPLETIONS = 16_384;
const MIN_FILES = 64;

/** Registered files that are no port's, at the end of the table: the tunnel's senders and the wake-up. */
const RESERVED_FILES = TUNNEL_SOURCES + 1;

/** Registered in place of a descriptor: nothing is read there. */
const NO_FILE = -1;

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
  private readonly devices: (UringDevice | undefined)[] = new Array(MAX_PORTS).fill(undefined);
  /** Ports whose reads ended since they were armed. */
  private readonly touched = new Uint16Array(MAX_PORTS);
  private readonly isTouched = new Uint8Array(MAX_PORTS);
  private touchedCount = 0;
  private readonly closing = new Map<number, () => void>();
  private readonly wakeFile: number;
  /** Registered files from here on are the tunnel's senders. */
  private readonly firstSender: number;
  private tunnel: UringTunnel | undefined;
  private readonly tooBig: TooBigNotices;
  private readonly watch: LinkWatch;
  /** Writes prepared since the last wait; the devices count them. */
  queuedWrites = 0;

  constructor(
    private readonly context: DeviceContext,
    wakeFd: number,
    private readonly onDown: DownListener,
    onTooBig: TooBigListener = () => {},
  ) {
    this.tooBig = new TooBigNotices(onTooBig);
    this.watch = new LinkWatch((port) => onDown(port, Errno.ENODEV));
    const { ring, files } = openRing();
    this.ring = ring;
    this.address = new MemoryAddress(context.pool.memory.buffer as SharedArrayBuffer);
    this.wakeFile = files - 1;
    this.firstSender = files - RESERVED_FILES;
    ring.setFile(this.wakeFile, wakeFd);
    this.armWake();
  }

  get sq(): SubmissionQueue {
    return this.ring.sq;
  }

  openTap(tap: TapPort): Device {
    this.register(tap.port, tap.fd);
    return this.open(new UringTap(tap, this.context, this));
  }

  openRaw(raw: RawPort): Device {
    this.register(raw.port, raw.fd);
    return this.open(new UringRaw(raw, this.context, this, this.watch));
  }

  openTunnel(tunnel: TunnelPort): Device {
    const { sendFds, receiveFd, port } = tunnel;
    if (this.tunnel !== undefined) throw new SystemError(Errno.EBUSY, 'io_uring', 'a second tunnel');
    if (sendFds.length > TUNNEL_SOURCES) {
      throw new SystemError(Errno.EMFILE, 'io_uring', `${sendFds.length} senders`);
    }
    try {
      this.register(port, receiveFd ?? NO_FILE);
      for (let i = 0; i < sendFds.length; i++) this.ring.setFile(this.firstSender + i, sendFds[i]);
    } catch (error) {
      // The table would keep what it has open, and with it the UDP port.
      if (port < this.firstSender) this.ring.clearFile(port);
      this.forgetTunnel();
      throw error;
    }
    this.tunnel = new UringTunnel(tunnel, this.context, this, this.firstSender, this.tooBig);
    return this.open(this.tunnel);
  }

  closePort(port: number, closed: () => void): void {
    const device = this.devices[port];
    if (device === undefined) {
      closed();
      return;
    }
    device.close();
    this.closing.set(port, closed);
    if (this.sq.space() === 0) this.submitNow();
    this.sq.cancelFile(port, CANCEL);
  }

  wait(timeout: number): boolean {
    const writes = this.armTouched();
    this.readyCount = 0;
    if (this.watch.isActive) this.watch.look();
    const longest = this.watch.isActive ? this.watch.limit(timeout) : timeout;
    this.submit(writes, this.touchedCount > 0 ? STARVED_WAIT : longest);
    const signalled = this.reap();
    this.collectReady();
    if (this.closing.size > 0) this.finishClosing();
    return signalled;
  }

  inFlight(): number {
    return this.devices.reduce((sum, device) => sum + (device?.inFlight ?? 0), 0);
  }

  submitNow(): void {
    const result = this.ring.submit(0);
    if (result < 0 && !isOrdinary(result)) throw new SystemError(-result, 'io_uring_enter');
  }

  close(): void {
    this.ring.close();
    for (const device of this.devices) device?.closeFiles();
  }

  private register(port: number, fd: number): void {
    if (port >= this.firstSender) throw new SystemError(Errno.EMFILE, 'io_uring', `port ${port}`);
    this.ring.setFile(port, fd);
  }

  private open(device: UringDevice): Device {
    this.devices[device.port] = device;
    this.touch(device.port);
    return device;
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
      const device = this.devices[port];
      if (device === undefined) continue;
      if (device.arm()) isImmediate = true;
      if (device.isStarved) {
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
    const device = this.devices[port]!;
    const operation = data >>> 28;
    if (operation === OPERATION.WRITE || operation === OPERATION.PART) {
      device.writeDone(operation, data & 0xffff, result);
      return;
    }
    if (!device.readDone(operation, data & 0xffff, result)) this.onDown(port, -result);
    this.touch(port);
  }

  private touch(port: number): void {
    if (this.isTouched[port] === 1) return;
    this.isTouched[port] = 1;
    this.touched[this.touchedCount++] = port;
  }

  private collectReady(): void {
    for (let i = 0; i < this.touchedCount; i++) {
      const device = this.devices[this.touched[i]];
      if (device?.hasArrived) this.ready[this.readyCount++] = device;
    }
  }

  private finishClosing(): void {
    for (const [port, closed] of this.closing) {
      const device = this.devices[port]!;
      if (device.inFlight > 0) continue;
      this.closing.delete(port);
      this.devices[port] = undefined;
      this.ring.clearFile(port);
      if (device === this.tunnel) this.forgetTunnel();
      device.closeFiles();
      closed();
    }
  }

  private forgetTunnel(): void {
    for (let file = this.firstSender; file < this.wakeFile; file++) this.ring.clearFile(file);
    this.tunnel = undefined;
  }

  private armWake(): void {
    if (this.sq.space() === 0) this.submitNow();
    this.sq.read(this.wakeFile, this.address.low(WAKE_BUFFER), this.address.high(WAKE_BUFFER), 8, WAKE);
  }
}

/** A registered-file table is at most as large as the limit on open files. */
function openRing(): { ring: IoUring; files: number } {
  for (let files = MAX_PORTS + RESERVED_FILES; ; files = files > MAX_PORTS ? MAX_PORTS : files >> 1) {
    try {
      return { ring: new IoUring({ entries: ENTRIES, completionEntries: COMPLETIONS, files }), files };
    } catch (error) {
      const isTooMany = error instanceof SystemError && error.code === 'EMFILE';
      if (!isTooMany || files <= MIN_FILES) throw error;
    }
  }
}

/** Results of a submit that mean "look at the completions and go on". */
function isOrdinary(result: number): boolean {
  return (
    result === -Errno.EINTR || result === -Errno.ETIME || result === -Errno.EBUSY || result === -Errno.EAGAIN
  );
}
