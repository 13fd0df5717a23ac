/**
 * `npm run bench -- [SCENARIO…] [--json]`: runs scenarios and compares podwire with others, in turn, in one run.
 *
 * A scenario is named whole (`node.tcp`) or by its first part (`node`).
 */
import { Command, InvalidArgumentError } from 'commander';
import type { Figure } from './figure.js';
import { Progress } from './progress.js';
import type { Runnable } from './runnable.js';
import { SCENARIOS } from './scenarios.js';
import { table } from './table.js';

interface Options {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly io?: string;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 1000) {
    throw new InvalidArgumentError('a whole number from 1 to 1000 is needed');
  }
  return value;
}

/** @throws Error naming a scenario that there is not. */
function select(names: readonly string[]): Runnable[] {
  if (names.length === 0) return [...SCENARIOS];
  const found = names.flatMap((name) => {
    const matching = SCENARIOS.filter((known) => known.name === name || known.name.startsWith(`${name}.`));
    if (matching.length > 0) return matching;
    throw new Error(`no scenario ${name}; there are: ${SCENARIOS.map((known) => known.name).join(', ')}`);
  });
  return [...new Set(found)];
}

async function main(names: string[], options: Options): Promise<void> {
  const scenarios = select(names);
  if (scenarios.some(({ needsRoot }) => needsRoot) && process.getuid?.() !== 0) {
    throw new Error('scenarios make network namespaces and devices: run as root');
  }
  const progress = new Progress(options.quiet === true);
  const figures: Figure[] = [];
  const daemonFlags = options.io === undefined ? [] : ['--io', options.io];
  for (const scenario of scenarios) {
    const { rounds, seconds } = options;
    const made = await scenario.run({ rounds, seconds, daemonFlags }, progress);
    progress.done();
    if (options.json) for (const figure of made) console.log(JSON.stringify(figure));
    figures.push(...made);
  }
  if (!options.json) console.log(table(figures));
}

new Command('bench')
  .argument('[scenario...]', 'scenarios, whole (node.tcp) or by their first part (node); all without it')
  .option('--json', 'one line of JSON for each figure')
  .option('--quiet', 'no progress')
  .option('--rounds <N>', 'how often each subject is measured; medians are printed', positive, 3)
  .option('--seconds <N>', 'how long one measurement takes', positive, 4)
  .option('--io <backend>', 'the podwire daemon’s --io')
  .action((names: string[], options: Options) =>
    main(names, options).catch((error: unknown) => {
      console.error(`error: BENCH_FAILED: ${(error as Error).message}`);
      process.exitCode = 1;
    }),
  )
  .parseAsync();
