/** What the poll driver needs of a device, beside what the engine does. */
import type { Device } from '../device.js';

export interface PollDevice extends Device {
  /** The descriptor that says when something has come. */
  readonly pollFd: number;
  /** The errno after which nothing more will come, or 0. */
  failure: number;
  /** The last `receive` ended at its limit, so there may be more. */
  readonly mayHaveMore: boolean;
  closeFiles(): void;
}
