/** What the poll driver needs of a device, beside what the engine does. */
import type { Device } from '../device.js';

/** In a poll set an entry without descriptor: it is skipped. */
export const WRITES_ONLY = -1;

export interface PollDevice extends Device {
  /** The descriptor that says when something has come; WRITES_ONLY: nothing will, another worker reads. */
  readonly pollFd: number;
  /** The errno after which nothing more will come, or 0. */
  failure: number;
  /** The last `receive` ended at its limit, so there may be more. */
  readonly mayHaveMore: boolean;
  closeFiles(): void;
}
