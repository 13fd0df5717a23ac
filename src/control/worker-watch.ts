/** Watches over the data plane: its end is the daemon's, unless the daemon ends it. */
import type { Dataplane } from '../dataplane/worker/handle.js';
import { PodwireError } from './errors.js';
import type { Logger } from './logger.js';
import type { Undo } from './undo.js';

export interface Worker {
  readonly failed: Promise<Error>;
  hasFailed(): boolean;
  expectExit(): void;
}

export function superviseWorker(dataplane: Dataplane, log: Logger, undo: Undo): Worker {
  let failure: Error | undefined;
  let expected = false;
  undo.add(async () => {
    expected = true;
    if (!failure) await dataplane.stop();
  });
  const failed = new Promise<Error>((resolve) => {
    dataplane.onExit = (error) => {
      if (expected) return;
      failure = new PodwireError(
        'DATAPLANE_FAILED',
        `the data plane worker ended: ${error?.message ?? 'no reason'}`,
      );
      log.fatal({ error: failure.message }, 'data plane failed');
      resolve(failure);
    };
  });
  return {
    failed,
    hasFailed: () => failure !== undefined,
    expectExit: () => {
      expected = true;
    },
  };
}
