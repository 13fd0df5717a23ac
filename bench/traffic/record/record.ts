/**
 * Makes one capture: a lab, tcpdump in it, the recipe's programs, and then the first packets of what was seen. A
 * capture that does not show what its recipe promises is an error, and does not replace the one before.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { end, run, sleep, startUntil } from '../../shell.js';
import { CAPTURES, ROOT } from '../captures.js';
import { Lab } from './lab.js';
import type { Recipe, Step, Tagging } from './recipe.js';

/** A program that takes longer has failed (ms). */
const DEADLINE = 20_000;
/** From the last step until its last packets are in the file (ms). */
const SETTLE = 300;

const execute = promisify(execFile);

export function pathOf(name: string): string {
  return join(CAPTURES, `${name}.pcap`);
}

/**
 * @param signal aborted, it ends the program that runs; then everything is taken down.
 * @throws Error where a program fails, or the capture does not show what it should.
 */
export async function record(recipe: Recipe, signal: AbortSignal): Promise<void> {
  await inFolder(async (folder) => {
    const raw = join(folder, 'raw.pcap');
    const kept = join(folder, 'kept.pcap');
    const lab = new Lab(recipe.offloads === true);
    try {
      await capture(lab, recipe, raw, signal);
    } finally {
      lab.close();
    }
    run('editcap', ['-F', 'pcap', '-r', raw, kept, `1-${recipe.most}`]);
    accept(recipe, kept);
  });
}

/** @throws Error where scapy is missing, or the capture does not show what it should. */
export async function tag(tagging: Tagging): Promise<void> {
  await inFolder(async (folder) => {
    const kept = join(folder, 'kept.pcap');
    // Debian's scapy is of its own Python, which may not be the first in the path.
    const words = [pathOf(tagging.from), kept, ...tagging.tags];
    run('/usr/bin/python3', [join(ROOT, 'bench/traffic/record/tag.py'), ...words]);
    accept(tagging, kept);
  });
}

async function inFolder(action: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-captures-'));
  try {
    await action(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function capture(lab: Lab, recipe: Recipe, path: string, signal: AbortSignal): Promise<void> {
  for (const step of recipe.setup ?? []) await take(lab, step, signal);
  const running = [];
  try {
    for (const { at, command, ready } of recipe.servers ?? []) {
      running.push(await startUntil('ip', lab.words(at, command), ready));
    }
    const listen = `tcpdump -i eth0 --immediate-mode -U -Z root -w ${path}`;
    const tcpdump = await startUntil('ip', lab.words(recipe.captureAt, listen), 'listening on');
    running.push(tcpdump);
    for (const step of recipe.steps) await take(lab, step, signal);
    await sleep(SETTLE);
    await end(tcpdump, 'SIGINT');
  } finally {
    for (const child of running) await end(child);
  }
}

async function take(lab: Lab, { at, command, fails = false }: Step, signal: AbortSignal): Promise<void> {
  try {
    await execute('ip', lab.words(at, command), { cwd: ROOT, timeout: DEADLINE, signal });
  } catch (cause) {
    const wasEnded = signal.aborted || (cause as { killed?: boolean }).killed === true;
    if (fails && !wasEnded) return;
    throw new Error(`${at}$ ${command}: ${(cause as Error).message}`, { cause });
  }
  if (fails) throw new Error(`${at}$ ${command}: it was to fail, and did not`);
}

/** What must not be: nobody could tell it from a fault of the switch. */
const WRONG = ['_ws.malformed', ...['ip', 'udp', 'tcp'].map((protocol) => `${protocol}.checksum.status==0`)];
const CHECKS = ['ip', 'udp', 'tcp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);

function matches(path: string, filter: string): boolean {
  return run('tshark', ['-n', '-r', path, ...CHECKS, '-Y', filter]) !== '';
}

function accept(
  { name, shows, offloads = false }: Pick<Recipe, 'name' | 'shows' | 'offloads'>,
  path: string,
): void {
  const missing = shows.find((filter) => !matches(path, filter));
  if (missing !== undefined) throw new Error(`${name}: no packet matches ${missing}`);
  const wrong = WRONG.join(' || ');
  if (!offloads && matches(path, wrong)) throw new Error(`${name}: a packet matches ${wrong}`);
  copyFileSync(path, pathOf(name));
}
