/**
 * The command tree. Every command is wired here, in the order of `podwire --help`; what a command does is in
 * its own file below commands/, and what only some of them need (the daemon, the demo, the kernel bindings)
 * is loaded when they run.
 */
import { Command, type CommanderError } from 'commander';
import { VERSION } from '../control/version.js';
import { applyCommand } from './commands/apply.js';
import { attachCommand } from './commands/attach.js';
import { cleanCommand } from './commands/clean.js';
import { daemonCommand } from './commands/daemon.js';
import { deleteCommand } from './commands/delete.js';
import { demoCommand } from './commands/demo.js';
import { detachCommand } from './commands/detach.js';
import { doctorCommand } from './commands/doctor.js';
import { dropsCommand } from './commands/drops.js';
import { explainCommand } from './commands/explain.js';
import { fdbCommand } from './commands/fdb.js';
import { flowsCommand } from './commands/flows.js';
import { getCommand } from './commands/get.js';
import { impairCommand } from './commands/impair.js';
import { installCniCommand } from './commands/install-cni.js';
import { limitCommand } from './commands/limit.js';
import { namesCommand } from './commands/names.js';
import { neighborsCommand } from './commands/neighbors.js';
import { nodesCommand } from './commands/nodes.js';
import { podsCommand } from './commands/pods.js';
import { portsCommand, publishCommand, unpublishCommand } from './commands/publish.js';
import { replayCommand } from './commands/replay.js';
import { routesCommand } from './commands/routes.js';
import { stateCommand } from './commands/state.js';
import { statsCommand } from './commands/stats.js';
import { statusCommand } from './commands/status.js';
import { addGlobalOptions } from './context.js';
import { type CliError, usage } from './errors.js';

const COMMANDS = [
  daemonCommand,
  demoCommand,
  attachCommand,
  detachCommand,
  publishCommand,
  unpublishCommand,
  limitCommand,
  impairCommand,
  applyCommand,
  getCommand,
  deleteCommand,
  statusCommand,
  nodesCommand,
  podsCommand,
  portsCommand,
  routesCommand,
  fdbCommand,
  neighborsCommand,
  namesCommand,
  flowsCommand,
  statsCommand,
  dropsCommand,
  explainCommand,
  replayCommand,
  stateCommand,
  installCniCommand,
  doctorCommand,
  cleanCommand,
];

export function buildProgram(): Command {
  const program = new Command('podwire')
    .description(
      'A packet switch for containers, in user space: bridge, veth pair and router over TAP devices.',
    )
    .version(`podwire ${VERSION}`, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError(true);
  addGlobalOptions(program);
  for (const make of COMMANDS) program.addCommand(make());
  for (const command of [program, ...program.commands]) quiet(command);
  return program;
}

/** Errors become exceptions, and their text is ours. */
function quiet(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => undefined });
  command.helpOption('-h, --help', 'print this help');
  command.configureHelp({ showGlobalOptions: true });
}

/**
 * What commander threw as an error of ours; undefined where it printed a help or a version, also the help for
 * a command line without a command.
 */
export function usageError(error: CommanderError, argv: readonly string[]): CliError | undefined {
  if (error.exitCode === 0 || error.code === 'commander.help') return undefined;
  const text = error.message
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '');
  return usage(`${text}; see ${helpFor(argv)}`);
}

function helpFor(argv: readonly string[]): string {
  const names = buildProgram().commands.map((command) => command.name());
  const command = argv.find((word) => names.includes(word));
  return command === undefined ? 'podwire --help' : `podwire ${command} --help`;
}
