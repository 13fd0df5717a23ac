/** The command line of `npm run bench`: what there is, what excludes what, and which scenarios are meant. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { usage } from '../src/cli/errors.js';
import type { Runnable } from './runnable.js';
import { SCENARIOS } from './scenarios.js';
import { TARGETS } from './targets.js';

export interface Options {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly rounds: number;
  readonly seconds: number;
  readonly io?: string;
  readonly baseline?: readonly string[];
  readonly list?: boolean;
  readonly targets?: boolean;
  readonly strict?: boolean;
  readonly report?: boolean;
  readonly fromStored?: boolean;
  readonly guard?: boolean;
  readonly guardWrite?: boolean;
}

const MOST = 1000;

const EXAMPLES = `
Examples:
  npm run bench -- --list
  npm run bench -- node.tcp node.pps --rounds 5 --seconds 4
  npm run bench -- node --baseline linux-bridge
  npm run bench -- --targets
  npm run bench -- engine --guard
  npm run bench -- --report engine

Scenarios that make namespaces and devices need root. Measure on a machine that does nothing else.`;

export function buildCommand(action: (names: string[], options: Options) => Promise<void>): Command {
  return new Command('npm run bench --')
    .description('Measures podwire, and what it is compared with, in turn in one run.')
    .argument('[scenario...]', 'scenarios, whole (node.tcp) or by their first part (node); all without it')
    .option('--list', 'the scenarios, and what each measures')
    .addOption(
      new Option('--targets', 'measures what podwire is to reach, and says what is met').conflicts([
        'baseline',
      ]),
    )
    .addOption(new Option('--strict', 'with --targets: exit status 3 unless every line is met'))
    .addOption(
      new Option('--report', 'writes docs/benchmarks.md and its plots').conflicts(['targets', 'baseline']),
    )
    .addOption(new Option('--from-stored', 'with --report: writes them again from the stored figures'))
    .addOption(
      new Option('--guard', 'fails where a cost in memory has grown; of engine, unless others are named'),
    )
    .addOption(new Option('--guard-write', 'stores the costs that --guard compares with'))
    .option('--baseline <NAME>', 'only this baseline; may be given again', append)
    .option('--rounds <N>', 'how often each subject is measured; medians are printed', positive, 3)
    .option('--seconds <N>', 'how long one measurement takes', positive, 4)
    .addOption(new Option('--io <backend>', 'the podwire daemon’s --io').choices(['auto', 'uring', 'poll']))
    .option('--json', 'one line of JSON for each figure, and for each target')
    .option('--quiet', 'no progress')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXAMPLES)
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .action(action);
}

function append(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > MOST) {
    throw new InvalidArgumentError(`a whole number from 1 to ${MOST} is needed`);
  }
  return value;
}

/** @throws CliError for options that mean nothing together. */
export function checkTogether({ strict, targets, fromStored, report, guard, guardWrite }: Options): void {
  if (strict && !targets) throw usage('--strict goes with --targets');
  if (fromStored && !report) throw usage('--from-stored goes with --report');
  if ((guard || guardWrite) && (targets || report))
    throw usage('--guard goes with neither --targets nor --report');
  if (guard && guardWrite) throw usage('--guard compares and --guard-write stores: one of them');
}

/**
 * The scenarios that an option is about, of those that were named.
 * @throws CliError where one was named that the option is not about, so that nobody takes silence for a good answer
 */
export function narrow(names: readonly string[], options: Options): Runnable[] {
  const { baseline, guard, guardWrite, targets } = options;
  if (guard || guardWrite) return guarded(names, baseline);
  if (targets) return withTargets(names);
  return baseline === undefined ? select(names) : withBaselines(select(names), baseline);
}

function guarded(names: readonly string[], baseline: readonly string[] | undefined): Runnable[] {
  const chosen = select(names.length === 0 ? ['engine'] : names);
  const other = chosen.find(({ name }) => !name.startsWith('engine.'));
  if (other !== undefined) throw usage(`--guard holds costs of engine.*; ${other.name} has none`);
  if (baseline !== undefined) throw usage('--guard compares with stored costs, not with a --baseline');
  return chosen;
}

function withTargets(names: readonly string[]): Runnable[] {
  const chosen = select(names);
  const isAimed = ({ name }: Runnable) => TARGETS.some(({ scenario }) => scenario === name);
  const aimless = names.find((name) => !select([name]).some(isAimed));
  if (aimless !== undefined) throw usage(`there is no target of ${aimless}; leave it out`);
  return chosen.filter(isAimed);
}

function withBaselines(chosen: readonly Runnable[], baseline: readonly string[]): Runnable[] {
  const known = [...new Set(chosen.flatMap(({ baselines = [] }) => baselines))];
  const unknown = baseline.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const there = known.length === 0 ? 'they have none to choose' : `there are: ${known.join(', ')}`;
    throw usage(`no baseline ${unknown} of these scenarios; ${there}`);
  }
  return chosen.filter(({ baselines = [] }) => baselines.some((name) => baseline.includes(name)));
}

/** @throws CliError naming a scenario that there is not. */
export function select(names: readonly string[], all: readonly Runnable[] = SCENARIOS): Runnable[] {
  if (names.length === 0) return [...all];
  for (const name of names) {
    if (!all.some((known) => isMeant(known, name))) {
      throw usage(`no scenario ${name}; there are: ${all.map((known) => known.name).join(', ')}`);
    }
  }
  return all.filter((known) => names.some((name) => isMeant(known, name)));
}

function isMeant(scenario: Runnable, name: string): boolean {
  return scenario.name === name || scenario.name.startsWith(`${name}.`);
}
