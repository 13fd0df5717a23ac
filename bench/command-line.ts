/** One command line of the benchmarks, from its words to its exit status; what it fails with is printed. */
import { CommanderError } from 'commander';
import { ExitStatus, errorLine, exitStatusOf, failure, usage } from '../src/cli/errors.js';
import { renderTable } from '../src/cli/output/table.js';
import { benchFailure } from './errors.js';
import { guardCosts, requireStoredCosts } from './guard.js';
import { type Interruption, listenForSignals } from './interrupt.js';
import { buildCommand, checkTogether, narrow, type Options } from './options.js';
import { Progress } from './progress.js';
import { type Run, sectionsOf, writeReport } from './report/report.js';
import { expectedOf, readStored } from './report/stored.js';
import type { Runnable } from './runnable.js';
import { type Planned, runSession, type Session } from './session.js';
import { table } from './table.js';
import { judge, TARGETS, type Verdict } from './targets.js';
import { targetJson, targetsTable } from './targets-table.js';

const NOT_MET = 3;

export async function commandLine(words: readonly string[]): Promise<number> {
  let status: number = ExitStatus.DONE;
  const command = buildCommand(async (names, options) => {
    status = await runMode(names, options, words);
  });
  try {
    await command.parseAsync(words, { from: 'user' });
    return status;
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return ExitStatus.DONE;
    const error = thrown instanceof CommanderError ? usage(textOf(thrown)) : thrown;
    console.error(errorLine(error));
    return exitStatusOf(error);
  }
}

function textOf(error: CommanderError): string {
  return `${error.message.replace(/^error: /, '').replace(/\.$/, '')}; see npm run bench -- --help`;
}

async function runMode(names: string[], options: Options, words: readonly string[]): Promise<number> {
  checkTogether(options);
  const chosen = narrow(names, options);
  if (options.list) return list(chosen);
  if (options.report && options.fromStored) return reported(writeReport([]));
  if (options.targets) return targets(chosen, names.length === 0, options);
  const isGuard = options.guard === true || options.guardWrite === true;
  if (options.guard) requireStoredCosts();
  const session = await measure(
    chosen.map((scenario) => ({ scenario })),
    options,
  );
  if (options.report)
    return reported(writeReport(sectionsOf(session.complete, runOf(options, words))), session);
  if (!options.json) process.stdout.write(table(session.figures));
  if (session.figures.length === 0 && session.failures === 0) throw benchFailure('there is no figure');
  const isGood = !isGuard || guardCosts(session.figures, options.guardWrite === true);
  return isGood ? statusOf(session) : ExitStatus.FAILED;
}

function list(scenarios: readonly Runnable[]): number {
  const columns = [
    { header: 'SCENARIO', value: ({ name }: Runnable) => name },
    { header: 'ROOT', value: ({ needsRoot }: Runnable) => (needsRoot ? 'yes' : 'no') },
    { header: 'WHAT IT MEASURES', value: ({ summary }: Runnable) => summary },
  ];
  process.stdout.write(renderTable(scenarios, columns));
  return ExitStatus.DONE;
}

/** @param isWhole also lines of scenarios that there are not; otherwise those of the chosen ones. */
async function targets(chosen: readonly Runnable[], isWhole: boolean, options: Options): Promise<number> {
  const lines = TARGETS.filter(({ scenario }) => isWhole || chosen.some(({ name }) => name === scenario));
  const plan = chosen.filter(({ name }) => lines.some(({ scenario }) => scenario === name)).map(neededOf);
  const session = await measure(plan, options);
  const verdicts = lines.map((target) => judge(target, session.figures));
  if (options.json) for (const verdict of verdicts) console.log(targetJson(verdict));
  else process.stdout.write(`${targetsTable(verdicts)}\n`);
  return statusOf(session) || strictly(verdicts, options);
}

function strictly(verdicts: readonly Verdict[], { strict }: Options): number {
  return strict && verdicts.some(({ met }) => !met) ? NOT_MET : ExitStatus.DONE;
}

/** The baselines that the lines ask for; where a line asks for none, or for podwire itself, the scenario knows. */
function neededOf(scenario: Runnable): Planned {
  const names = TARGETS.filter((target) => target.scenario === scenario.name).map(({ baseline }) => baseline);
  const others = names.filter((name): name is string => name !== undefined && !name.startsWith('podwire'));
  return others.length < names.length ? { scenario } : { scenario, subjects: [...new Set(others)] };
}

/** @throws CliError INTERRUPTED after what was measured has been printed. */
async function measure(plan: readonly Planned[], options: Options): Promise<Session> {
  if (plan.some(({ scenario }) => scenario.needsRoot) && process.getuid?.() !== 0) {
    throw failure(
      'PRIVILEGE',
      'scenarios make network namespaces and devices: run as root; engine needs none',
    );
  }
  const interruption = listenForSignals((text) => console.error(`\n${text}`));
  try {
    return await runInterruptibly(plan, options, interruption);
  } finally {
    interruption.stop();
  }
}

async function runInterruptibly(
  plan: readonly Planned[],
  options: Options,
  { signal }: Interruption,
): Promise<Session> {
  const { rounds, seconds, io, json, quiet, baseline } = options;
  const daemonFlags = io === undefined ? [] : ['--io', io];
  const progress = new Progress(quiet === true, signal);
  const session = await runSession(
    plan,
    { rounds, seconds, daemonFlags, subjects: baseline, signal },
    progress,
    (figure) => json && console.log(JSON.stringify(figure)),
    expectedOf(plan, readStored(), { rounds, seconds }),
  );
  if (!signal.aborted) return session;
  if (!json) process.stdout.write(table(session.figures));
  throw failure(
    'INTERRUPTED',
    'a signal ended the run; what it had measured is above, what it had open is closed',
  );
}

function runOf({ rounds, seconds }: Options, words: readonly string[]): Run {
  return { command: ['npm run bench --', ...words].join(' '), rounds, seconds };
}

function reported(files: readonly string[], session?: Session): number {
  for (const file of files) console.log(`written: ${file}`);
  return session === undefined ? ExitStatus.DONE : statusOf(session);
}

/** A baseline that cannot run is no failure; podwire that cannot is one. */
function statusOf({ failures, figures }: Session): number {
  const isWithoutPodwire = figures.some(({ absent }) => absent?.startsWith('podwire: failed'));
  return failures > 0 || isWithoutPodwire ? ExitStatus.FAILED : ExitStatus.DONE;
}
