/**
 * A reader that goes away early (`podwire pods | head -1`) is no error of ours: the process ends quietly. A
 * command with something to tidy up takes that over.
 */
let action: () => void = endQuietly;

let isWatching = false;

/** For the entry of the command line; once is enough. */
export function watchOutput(): void {
  if (isWatching) return;
  isWatching = true;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      action();
    });
  }
}

/** From now on `instead` is called, any number of times; the function returned restores the quiet end. */
export function whenOutputCloses(instead: () => void): () => void {
  action = instead;
  return () => {
    action = endQuietly;
  };
}

function endQuietly(): void {
  process.exit();
}
