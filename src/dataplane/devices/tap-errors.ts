/** What the errors of a TAP's reads and writes mean. Results are negative errno values. */
import { Errno } from '../../linux/errno.js';
import { DROP } from '../drop-reasons.js';

/** Errors of a read after which the interface brings nothing more: it was deleted, or its queue detached. */
export function isFatal(result: number): boolean {
  return result === -Errno.EBADFD || result === -Errno.EBADF || result === -Errno.ENODEV;
}

/** The drop reason for a failed write: the kernel answers EIO while the interface is down. */
export function writeFailure(result: number): number {
  const isDown = result === -Errno.EIO || isFatal(result);
  return isDown ? DROP['port-down'] : DROP['device-error'];
}
