import type { StatusAnswer } from '../../control/api/types.js';

/** What people call a way of packet I/O. */
export function ioName(io: StatusAnswer['io']): string {
  return io === 'uring' ? 'io_uring' : 'poll';
}
