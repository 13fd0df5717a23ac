/**
 * `npm run bench -- [SCENARIO…]`: runs scenarios and compares podwire with others, in turn, in one run. Standard output
 * has the figures and nothing else; progress and errors go to standard error.
 *
 * Exit status: 0 the run worked, whatever the figures; 1 a scenario failed, a signal ended the run, or `--guard` found a
 * cost that has grown; 2 the command line is wrong; 3 with `--targets --strict`, a line is not met.
 */
import { watchOutput } from '../src/cli/output/closed-pipe.js';
import { commandLine } from './command-line.js';

watchOutput();
process.exitCode = await commandLine(process.argv.slice(2));
