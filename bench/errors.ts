/** The benchmarks' own code among the command line's errors. */
import { CliError } from '../src/cli/errors.js';

export function benchFailure(message: string): CliError {
  return new CliError('BENCH_FAILED', message);
}
