/** Chooses how a worker does its I/O, and says why. */
import { LinuxError } from '../../linux/errno.js';
import type { DeviceContext } from '../device.js';
import type { TooBigListener } from '../devices/too-big-notices.js';
import type { DownListener, Driver } from './driver.js';
import type { IoChoice } from './messages.js';
import { PollDriver } from './poll-driver.js';
import { UringDriver } from './uring-driver.js';

export interface ChosenDriver {
  readonly driver: Driver;
  readonly reason: string;
}

/** @throws LinuxError IO_URING_UNAVAILABLE when io_uring was asked for by name and cannot be had. */
export function openDriver(
  choice: IoChoice,
  context: DeviceContext,
  wakeFd: number,
  onDown: DownListener,
  onTooBig?: TooBigListener,
): ChosenDriver {
  if (choice === 'poll') {
    return { driver: new PollDriver(context, wakeFd, onDown, onTooBig), reason: 'asked for with --io poll' };
  }
  try {
    const reason = choice === 'uring' ? 'asked for with --io uring' : 'the kernel offers it';
    return { driver: new UringDriver(context, wakeFd, onDown, onTooBig), reason };
  } catch (error) {
    const isUnavailable = error instanceof LinuxError && error.code === 'IO_URING_UNAVAILABLE';
    if (choice === 'uring' || !isUnavailable) throw error;
    return {
      driver: new PollDriver(context, wakeFd, onDown, onTooBig),
      reason: `no io_uring: ${error.message}`,
    };
  }
}
