/** What the errors of a TAP's reads and writes mean. Results are negative errno values. */
import { Errno } from '../../linux/errno.js';
import { DROP } from '../drop-reasons.js';

/**
 * Whether a read's result means that the interface brings nothing more: it was deleted (EBADFD), or an error that
 * would come again at once and make the loop spin.
 */
export function isFatal(result: number): boolean {
  return result < 0 && result !== -Errno.EAGAIN && result !== -Errno.EINTR && result !== -Errno.ECANCELED;
}

/** The drop reason for a failed write: the kernel answers EIO while the interface is down. */
export function writeFailure(result: number): number {
  const isDown = result === -Errno.EIO || result === -Errno.EBADFD || result === -Errno.EBADF;
  return isDown ? DROP['port-down'] : DROP['device-error'];
}
