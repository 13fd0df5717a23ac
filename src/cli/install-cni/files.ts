/**
 * Files that a container runtime reads at any moment. Each is written beside its place, brought to disk and renamed
 * over it, so whoever reads sees the old one or the new one, whole, also after a crash. Names of unfinished files
 * begin with a dot and end in `.podwire-tmp`: runtimes read .conf, .conflist and .json only (libcni).
 */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type CliError, failure } from '../errors.js';

export type Outcome = 'installed' | 'updated' | 'unchanged' | 'removed' | 'absent' | 'kept';

const UNFINISHED = '.podwire-tmp';
/** What a killed installation has left is swept by a later one, not by one that runs beside it. */
const STALE_MS = 10 * 60_000;

/** The text of a file; undefined: there is none. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw fileProblem(path, error);
  }
}

/** A name beside `path` that nobody else uses and no runtime reads. */
export function besideName(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}${UNFINISHED}`);
}

/**
 * Puts `text` at `path` in one rename. `verify` is given the finished file under another name before that, and what it
 * throws leaves everything as it was.
 */
export function replaceFile(
  path: string,
  text: string,
  mode: number,
  verify?: (file: string) => void,
): Outcome {
  const before = readIfThere(path);
  if (before === text && modeOf(path) === mode) {
    verify?.(path);
    return 'unchanged';
  }
  makeFolder(dirname(path));
  sweep(path);
  const unfinished = besideName(path);
  try {
    writeDurably(unfinished, text, mode);
    verify?.(unfinished);
    renameSync(unfinished, path);
    syncFolder(dirname(path));
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw fileProblem(path, error);
  }
  return before === undefined ? 'installed' : 'updated';
}

export function removeFile(path: string): Outcome {
  try {
    rmSync(path);
    syncFolder(dirname(path));
    return 'removed';
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'absent';
    throw fileProblem(path, error);
  }
}

export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    throw fileProblem(path, error);
  }
}

/** A rename is on disk when its folder is. */
export function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Whether it is a regular file that may be executed. */
export function isExecutable(path: string): boolean {
  try {
    const stat = statSync(path);
    return stat.isFile() && (stat.mode & 0o111) !== 0;
  } catch {
    return false;
  }
}

/** An error of the file system with what to do; errors of ours pass. */
export function fileProblem(path: string, error: unknown): CliError {
  const code = codeOf(error);
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) throw error;
  const hint = code === 'EACCES' || code === 'EPERM' ? '; run as root' : '';
  return failure('INSTALL_FAILED', `${path}: ${(error as Error).message}${hint}`);
}

/** The umask of whoever installs does not count: the runtime may be another user. */
function writeDurably(path: string, text: string, mode: number): void {
  const fd = openSync(path, 'wx', mode);
  try {
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  chmodSync(path, mode);
}

function modeOf(path: string): number {
  return statSync(path).mode & 0o777;
}

function sweep(path: string): void {
  const folder = dirname(path);
  for (const name of readdirSync(folder)) {
    if (!name.startsWith(`.${basename(path)}.`) || !name.endsWith(UNFINISHED)) continue;
    const file = join(folder, name);
    if (Date.now() - statSync(file).mtimeMs > STALE_MS) rmSync(file, { recursive: true, force: true });
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
