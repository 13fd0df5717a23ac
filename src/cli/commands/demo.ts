/** `podwire demo`: shows on this machine, in namespaces of its own, that the switch does what it says. */
import { Command } from 'commander';
import { print, printJson, refuseOutputFormat } from '../context.js';
import { unsupportedFlag, usage } from '../errors.js';
import { counted } from '../output/units.js';

interface DemoFlags {
  readonly nodes?: string;
  readonly pods?: string;
  readonly io?: string;
  readonly keep?: boolean;
  readonly clean?: boolean | string;
  readonly json?: boolean;
}

const IO_CHOICES = ['auto', 'uring', 'poll'];

export function demoCommand(): Command {
  return new Command('demo')
    .description('see it work: pods in namespaces of their own, every feature checked, all removed again')
    .option('--nodes <N>', 'nodes; this version knows one (default: 1)')
    .option('--pods <N>', 'pods (default: 3)')
    .option('--io <HOW>', 'packet I/O of the switch: auto, uring or poll (default: auto)')
    .option('--keep', 'leave it running afterwards, to look around')
    .option('--clean [ID]', 'remove what --keep, or a demo that was killed, has left')
    .option('--json', 'print one JSON object: ok, checks, figures')
    .action(async (flags: DemoFlags, self: Command) => {
      refuseOutputFormat(self);
      if (self.optsWithGlobals().socket !== undefined)
        throw usage("--socket: the demo's daemon has one of its own");
      const { checkPrerequisites } = await import('../demo/prerequisites.js');
      const options = await demoOptions(flags);
      checkPrerequisites();
      if (flags.clean !== undefined) await clean(flags.clean, flags.json ?? false);
      else await demonstrate(options, flags.json ?? false);
    });
}

async function demoOptions(flags: DemoFlags) {
  const { MAX_PODS } = await import('../demo/stage.js');
  const { io = 'auto', pods = '3' } = flags;
  const nodes = wholeNumber('--nodes', flags.nodes ?? '1', 1, Number.MAX_SAFE_INTEGER);
  if (nodes > 1)
    throw unsupportedFlag('--nodes', `this version of podwire runs on one node, not on ${nodes}`);
  if (!IO_CHOICES.includes(io)) throw usage(`--io ${io}: must be ${IO_CHOICES.join(', ')}`);
  if (flags.clean && flags.keep) throw usage('--clean and --keep contradict each other');
  return { pods: wholeNumber('--pods', pods, 2, MAX_PODS), io, keep: flags.keep ?? false };
}

function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  throw usage(`${flag} ${text}: must be a whole number ${range}`);
}

async function demonstrate(options: Awaited<ReturnType<typeof demoOptions>>, json: boolean): Promise<void> {
  const { demoFailure, runDemo } = await import('../demo/run.js');
  const { SILENT_VIEW, viewFor } = await import('../demo/view.js');
  const { demoJson, summary } = await import('../demo/summary.js');
  const outcome = await runDemo(options, json ? SILENT_VIEW : viewFor(process.stdout));
  if (json) printJson(demoJson(outcome));
  else print(summary(outcome));
  if (!outcome.ok) throw demoFailure(outcome);
}

async function clean(id: string | boolean, json: boolean): Promise<void> {
  const { cleanDemos } = await import('../demo/clean.js');
  const { namespaces, processes } = await cleanDemos(typeof id === 'string' ? id : '');
  if (json) printJson({ ok: true, namespaces, processes });
  else if (namespaces.length === 0) print('nothing to clean up\n');
  else {
    print(
      `removed ${counted(namespaces.length, 'namespace')}, ended ${counted(processes, 'process', 'processes')}\n`,
    );
  }
}
