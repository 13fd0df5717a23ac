/**
 * A driver does the I/O of all devices of a worker and blocks while there is nothing to do. Two exist: io_uring,
 * and poll/read/write for kernels where io_uring is missing or forbidden.
 */
import type { Device } from '../device.js';

/** A TAP to be driven: an open descriptor, which becomes the driver's. */
export interface TapPort {
  readonly port: number;
  readonly name: string;
  readonly fd: number;
  readonly mtu: number;
  /** Bits of OFFLOAD that its interface was granted. */
  readonly offloads: number;
}

export interface Driver {
  readonly kind: 'uring' | 'poll';
  /** Devices that have received something since the last `wait`: the first `readyCount`. */
  readonly ready: readonly Device[];
  readonly readyCount: number;
  openTap(tap: TapPort): Device;
  /** Ends the device's I/O and closes its descriptor; `closed` is called when nothing of it is in flight. */
  closeTap(port: number, closed: () => void): void;
  /**
   * Starts what was queued and blocks until a device has received something, the control side signals, or
   * `timeout` ms are over (negative: no limit). Answers whether the control side signalled.
   */
  wait(timeout: number): boolean;
  /** Packets whose I/O is in flight: reads waiting for one, writes not completed. */
  inFlight(): number;
  close(): void;
}

/** Told when a device's interface has vanished under it. */
export type DownListener = (port: number, errno: number) => void;
