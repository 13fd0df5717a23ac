/**
 * The demo's network namespaces: named for the process that made them, so that two demos do not meet and
 * what a killed one left behind can be told.
 *
 *     podwire-demo-4711-a         a node: its daemon, podwire0, its end of the underlay
 *     podwire-demo-4711-web       a pod
 */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { namespacePath } from '../../linux/netns.js';

export const DEMO_PREFIX = 'podwire-demo-';

const NAMED_NAMESPACES = '/run/netns';
const IP_TIMEOUT_MS = 10_000;

/** Makes namespaces, their loopback up. Rejects with ip's words. */
export async function makeNamespaces(names: readonly string[]): Promise<void> {
  await ipBatch(names.map((name) => `netns add ${name}`));
  await Promise.all(names.map((name) => ip('-n', name, 'link', 'set', 'lo', 'up')));
}

/** Deletes those that exist. Never rejects: it is what is done when something went wrong. */
export async function deleteNamespaces(names: readonly string[]): Promise<void> {
  for (const name of names) {
    if (existsSync(namespacePath(name))) await ip('netns', 'del', name).catch(() => undefined);
  }
}

/** Every namespace of any demo on this machine. */
export function demoNamespaces(): string[] {
  if (!existsSync(NAMED_NAMESPACES)) return [];
  return readdirSync(NAMED_NAMESPACES).filter((name) => name.startsWith(DEMO_PREFIX));
}

/** Processes in a namespace. */
export async function processesIn(name: string): Promise<number[]> {
  const text = await ip('netns', 'pids', name).catch(() => '');
  return text.split('\n').filter(Boolean).map(Number);
}

/** Whether the program `ip` of iproute2 can be run. */
export function hasIproute2(): boolean {
  try {
    execFileSync('ip', ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Whether nftables can be used: its program is there and the kernel has it. */
export function hasNftables(): boolean {
  try {
    execFileSync('nft', ['list', 'tables'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Runs `ip` commands, in order. @param netns where; else where the demo is, for what names its namespaces itself. */
export function ipBatch(lines: readonly string[], netns?: string): Promise<string> {
  return runIp([...(netns === undefined ? [] : ['-n', netns]), '-batch', '-'], `${lines.join('\n')}\n`);
}

function ip(...words: string[]): Promise<string> {
  return runIp(words, '');
}

function runIp(words: string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile('ip', words, { timeout: IP_TIMEOUT_MS }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`ip ${words.join(' ')}: ${stderr.trim() || error.message}`));
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
