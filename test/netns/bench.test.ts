/**
 * The benchmarks of one host as they are run by hand: over every baseline that this machine has, with one that
 * fails, with programs that are not there, and interrupted. Each run has a folder for its temporary files and a list
 * of programs (PATH) of its own, so what it leaves behind can be told from what other tests do meanwhile.
 *
 *     node dist/bench/run.js ──► namespaces pwbench-PID-N-{node,a,b} · TMPDIR/podwire-bench-… · daemons, iperf3, trafgen
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Figure } from '../../bench/figure.js';
import { missingForDaemon } from './daemon-support.js';

const BENCH = fileURLToPath(new URL('../../dist/bench/run.js', import.meta.url));

function whereIs(program: string): string | undefined {
  try {
    return execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
}

const NEEDED = ['sh', 'ip', 'ping', 'iperf3', 'trafgen', 'taskset', 'timeout', 'cat'];
const missing = missingForDaemon() ?? NEEDED.find((program) => whereIs(program) === undefined);
if (missing) console.log(`skipped: the benchmarks' test needs ${missing}`);

/** For a machine that does much else. */
const MOST = 240_000;

/** What the machine has of the baselines, as this test finds it. */
const INSTALLED = [
  'linux-bridge',
  ...(whereIs('ovs-vswitchd') ? ['openvswitch'] : []),
  ...(whereIs('cc') ? ['c-poll-reflect'] : []),
];

const folders: string[] = [];

/** A folder for one run, with another in it for temporary files. */
function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bench-test-'));
  folders.push(folder);
  mkdirSync(join(folder, 'tmp'));
  return folder;
}

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

interface Run {
  readonly status: number | null;
  readonly figures: readonly Figure[];
  readonly errors: string;
  /** Namespaces, temporary files and processes that are still there. */
  readonly left: readonly string[];
}

interface Wish {
  /** Where programs are looked for. */
  readonly path?: string;
  /** Called with each line that the run says on standard error. */
  readonly onProgress?: (line: string, pid: number) => void;
}

async function bench(words: readonly string[], wish: Wish = {}, folder = makeFolder()): Promise<Run> {
  const env = { ...process.env, TMPDIR: join(folder, 'tmp'), PATH: wish.path ?? process.env.PATH };
  const args = [BENCH, ...words, '--json', '--rounds', '1', '--seconds', '1'];
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, errors]: string[][] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => {
    errors.push(chunk.toString());
    wish.onProgress?.(chunk.toString(), child.pid!);
  });
  const status = await ended(child);
  const lines = output.join('').split('\n').filter(Boolean);
  const figures = lines.map((line) => JSON.parse(line) as Figure);
  const left = leftBehind(child.pid!, env.TMPDIR);
  for (const process of left.filter(isProcess)) endProcess(process);
  return { status, figures, errors: errors.join(''), left };
}

/** Longest time for one run. */
const RUN_DEADLINE_MS = 180_000;

/** Ended by force when it does not end; a process that it has left behind may hold its pipes open. */
async function ended(child: ChildProcess): Promise<number | null> {
  const late = setTimeout(() => child.kill('SIGKILL'), RUN_DEADLINE_MS);
  const closed = once(child, 'close');
  const [status] = (await once(child, 'exit')) as [number | null];
  clearTimeout(late);
  await Promise.race([closed, sleep(1000)]);
  return status;
}

function isProcess(name: string): boolean {
  return /^\d+$/.test(name);
}

function endProcess(pid: string): void {
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function leftBehind(pid: number, temporary: string): string[] {
  const namespaces = readdirSync('/run/netns').filter((name) => name.startsWith(`pwbench-${pid}-`));
  const processes = readdirSync('/proc').filter((name) =>
    environmentOf(name).includes(`TMPDIR=${temporary}`),
  );
  return [...namespaces, ...readdirSync(temporary), ...processes];
}

/** Empty for what is no process, or one that has just ended. */
function environmentOf(pid: string): string[] {
  if (!isProcess(pid)) return [];
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Every figure's own and its baseline's value are there and above nothing. */
function expectPositive(figures: readonly Figure[]): void {
  for (const { value, baselineValue, ratio, spread, baselineSpread } of figures) {
    for (const number of [value, baselineValue, ratio, ...spread, ...(baselineSpread ?? [0])]) {
      expect(number).toBeGreaterThan(0);
    }
  }
}

// At the same time: most of it is waiting, and no run may disturb another.
describe
  .skipIf(missing)
  .concurrent(`benchmarks of one host${missing ? ` (needs ${missing})` : ''}`, { timeout: MOST }, () => {
    it('measure every baseline that is installed and leave nothing behind', async ({ expect }) => {
      const [tcp, frames] = await Promise.all([bench(['node.tcp']), bench(['node.pps'])]);
      for (const { status, left, errors } of [tcp, frames]) {
        expect({ status, left }, errors).toEqual({ status: 0, left: [] });
      }
      const present = [...tcp.figures, ...frames.figures].filter(({ absent }) => absent === undefined);
      expectPositive(present);
      for (const baseline of INSTALLED) {
        const metrics = present.filter((figure) => figure.baseline === baseline).map(({ metric }) => metric);
        expect(metrics, `${baseline}: ${JSON.stringify(tcp.figures)}`).toEqual([
          'one TCP stream',
          'CPU time for one TCP stream',
          'eight TCP streams',
          '60-byte frames, switch on one core',
          'CPU time for 60-byte frames',
        ]);
      }
    });

    it('report what is not installed, and what fails, and measure the others', async ({ expect }) => {
      const [without, failing] = [withoutCompiler(), withFailingSwitch()];
      const baselines = ['c-poll-reflect', 'linux-bridge', 'openvswitch'].flatMap((name) => [
        '--baseline',
        name,
      ]);
      const [bare, broken] = await Promise.all([
        bench(['node.pps', ...baselines], { path: without }),
        bench(['node.rtt', ...baselines], { path: failing }),
      ]);
      expect([bare.left, broken.left]).toEqual([[], []]);
      expect(reasons(bare)).toMatchObject({
        'c-poll-reflect': 'no C compiler (cc)',
        openvswitch: 'openvswitch-switch is not installed',
        'linux-bridge': undefined,
      });
      expect(reasons(broken)['linux-bridge']).toBeUndefined();
      if (INSTALLED.includes('openvswitch')) {
        expect(reasons(broken).openvswitch).toMatch(/^failed: .*this bridge cannot be made/s);
      }
    });

    it('close what they have open when they are interrupted', async ({ expect }) => {
      const baseline = INSTALLED.includes('openvswitch') ? 'openvswitch' : 'linux-bridge';
      const { status, left, figures, errors } = await bench(['node.rtt', '--baseline', baseline], {
        onProgress: (line, pid) => {
          if (line.includes(`1 of 1, ${baseline}`)) setTimeout(() => process.kill(pid, 'SIGTERM'), 700);
        },
      });
      expect({ status, left, figures }, errors).toEqual({ status: 1, left: [], figures: [] });
    });
  });

/** Why each baseline of a run is absent. */
function reasons({ figures }: Run): Record<string, string | undefined> {
  return Object.fromEntries(figures.map(({ baseline, absent }) => [baseline, absent]));
}

/** A PATH with what is needed and nothing else. */
function withoutCompiler(): string {
  const folder = makeFolder();
  for (const program of NEEDED) symlinkSync(whereIs(program)!, join(folder, program));
  return folder;
}

/** A PATH on which ovs-vsctl cannot make a bridge: by then both daemons of Open vSwitch run. */
function withFailingSwitch(): string {
  const folder = makeFolder();
  const real = whereIs('ovs-vsctl') ?? 'false';
  const script = `case "$*" in *add-br*) echo this bridge cannot be made >&2; exit 1 ;; esac\nexec ${real} "$@"\n`;
  writeFileSync(join(folder, 'ovs-vsctl'), `#!/bin/sh\n${script}`);
  chmodSync(join(folder, 'ovs-vsctl'), 0o755);
  return `${folder}${delimiter}${process.env.PATH}`;
}
