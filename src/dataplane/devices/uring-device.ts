/** What the io_uring driver and its devices have in common. */
import type { SubmissionQueue } from '../../linux/io-uring-submission.js';
import type { MemoryAddress } from '../../linux/memory.js';
import type { Device } from '../device.js';

/**
 * What a completion belongs to: in the upper bits of its user data, above port (12 bits) and slot (16). A part is
 * one of several writes that a slot became.
 */
export const OPERATION = { READ: 0, READ_NOWAIT: 1, WRITE: 2, CONTROL: 3, PART: 4 } as const;

export function userData(operation: number, port: number, slot: number): number {
  return (operation << 28) | (port << 16) | slot;
}

/** What a device needs of its driver. */
export interface UringQueue {
  readonly sq: SubmissionQueue;
  readonly address: MemoryAddress;
  /** Writes prepared in this cycle: each completes while it is submitted. */
  queuedWrites: number;
  /** Makes room in the submission queue. */
  submitNow(): void;
}

/** What the driver needs of a device, beside what the engine does. */
export interface UringDevice extends Device {
  /** Requests in flight: closing ends when it is 0. */
  readonly inFlight: number;
  /** Something waits to be received by the engine. */
  readonly hasArrived: boolean;
  /** No read is in flight, for want of a slot: to be armed again soon. */
  readonly isStarved: boolean;
  /** Queues the reads of the next round. Answers whether one of them ends at once, with a packet or without. */
  arm(): boolean;
  /** A read has ended with `result` (bytes, or a negative errno). Answers false when nothing more will come. */
  readDone(operation: number, slot: number, result: number): boolean;
  writeDone(operation: number, slot: number, result: number): void;
  /** Closes the descriptors, once nothing is in flight. */
  closeFiles(): void;
}
