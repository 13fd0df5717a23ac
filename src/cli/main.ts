/**
 * Runs one command line. Sets process.exitCode and lets the process end by itself, so that what was written
 * to a pipe arrives.
 */
import { CommanderError } from 'commander';
import { ExitStatus, errorLine, exitStatusOf } from './errors.js';
import { watchOutput } from './output/closed-pipe.js';
import { buildProgram, usageError } from './program.js';

export async function run(argv: readonly string[]): Promise<void> {
  watchOutput();
  try {
    await buildProgram().parseAsync(argv, { from: 'user' });
  } catch (thrown) {
    const error = thrown instanceof CommanderError ? usageError(thrown, argv) : thrown;
    process.exitCode = error === undefined ? helpStatus(thrown) : exitStatusOf(error);
    if (error !== undefined) process.stderr.write(`${errorLine(error)}\n`);
  }
}

/** A help that was asked for is what was wanted; one for want of a command is not. */
function helpStatus(thrown: unknown): ExitStatus {
  return thrown instanceof CommanderError && thrown.exitCode === 0 ? ExitStatus.DONE : ExitStatus.USAGE;
}
