/** `podwire demo`: shows on this machine, in namespaces of its own, that nodes and switches do what they say. */
import { Command } from 'commander';
import { print, printJson, refuseOutputFormat, refuseServer } from '../context.js';
import type { DemoOptions } from '../demo/run.js';
import { usage } from '../errors.js';
import { counted } from '../output/units.js';

interface DemoFlags {
  readonly nodes?: string;
  readonly pods?: string;
  readonly io?: string;
  readonly store?: string;
  readonly keep?: boolean;
  readonly clean?: boolean | string;
  readonly json?: boolean;
}

const IO_CHOICES = ['auto', 'uring', 'poll'];
const STORES = ['embedded', 'etcd'] as const;

/** A node alone has three, so that two are in one subnet and one in another. */
const PODS_OF_ONE_NODE = 3;
const PODS_OF_EACH_NODE = 2;

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'see it work: nodes and pods in namespaces of their own, every feature checked, all removed again',
    )
    .option('--nodes <N>', 'nodes; 1 shows what a switch does by itself (default: 2)')
    .option(
      '--pods <N>',
      `pods of each node (default: ${PODS_OF_EACH_NODE}; of one node alone: ${PODS_OF_ONE_NODE})`,
    )
    .option('--io <HOW>', 'packet I/O of the switch: auto, uring or poll (default: auto)')
    .option(
      '--store <WHERE>',
      'cluster state: embedded, or etcd, which the demo then starts (default: embedded)',
    )
    .option('--keep', 'leave it running afterwards, to look around')
    .option('--clean [ID]', 'remove what --keep, or a demo that was killed, has left')
    .option('--json', 'print one JSON object: ok, checks, figures')
    .action(async (flags: DemoFlags, self: Command) => {
      refuseOutputFormat(self);
      refuseServer(self);
      if (self.optsWithGlobals().socket !== undefined)
        throw usage("--socket: the demo's daemon has one of its own");
      const { checkPrerequisites } = await import('../demo/prerequisites.js');
      const options = await demoOptions(flags);
      checkPrerequisites();
      if (flags.clean !== undefined) await clean(flags.clean, flags.json ?? false);
      else await demonstrate(options, flags.json ?? false);
    });
}

async function demoOptions(flags: DemoFlags): Promise<DemoOptions> {
  const { MAX_ALL_PODS, MAX_NODES, MAX_PODS } = await import('../demo/stage.js');
  const { io = 'auto' } = flags;
  const nodes = wholeNumber('--nodes', flags.nodes ?? '2', 1, MAX_NODES);
  const usual = nodes === 1 ? PODS_OF_ONE_NODE : PODS_OF_EACH_NODE;
  const pods = wholeNumber('--pods', flags.pods ?? String(usual), 2, MAX_PODS);
  if (nodes * pods > MAX_ALL_PODS) {
    throw usage(`--nodes ${nodes} --pods ${pods}: at most ${MAX_ALL_PODS} pods altogether`);
  }
  if (!IO_CHOICES.includes(io)) throw usage(`--io ${io}: must be ${IO_CHOICES.join(', ')}`);
  const store = STORES.find((choice) => choice === (flags.store ?? 'embedded'));
  if (store === undefined) throw usage(`--store ${flags.store}: must be ${STORES.join(' or ')}`);
  if (store === 'etcd' && nodes === 1) throw usage('--store etcd needs --nodes 2 or more');
  if (flags.clean && flags.keep) throw usage('--clean and --keep contradict each other');
  return { nodes, pods, io, store, keep: flags.keep ?? false };
}

function wholeNumber(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw usage(`${flag} ${text}: must be a whole number from ${least} to ${most}`);
}

async function demonstrate(options: DemoOptions, json: boolean): Promise<void> {
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
