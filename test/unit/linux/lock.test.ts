import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from '../../../src/linux/lock.js';

describe('lockDirectory', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'podwire-lock-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('refuses a second holder, names the first, and can be had again once released', () => {
    const lock = lockDirectory(directory);
    expect(readFileSync(lock.path, 'utf8')).toBe(`${process.pid}\n`);
    expect(() => lockDirectory(directory)).toThrow(
      expect.objectContaining({
        code: 'DATA_DIR_IN_USE',
        message: expect.stringContaining(`process ${process.pid}`),
      }),
    );
    lock.release();
    lock.release();
    lockDirectory(directory).release();
  });

  it('respects what flock(1) holds, and takes over when its holder is killed', async () => {
    const holder = spawn('flock', [join(directory, 'lock'), '-c', 'echo held; exec sleep 60']);
    await once(holder.stdout, 'data');
    expect(() => lockDirectory(directory)).toThrow(
      expect.objectContaining({
        code: 'DATA_DIR_IN_USE',
        message: expect.stringContaining('process unknown'),
      }),
    );
    await killTree(holder);
    lockDirectory(directory).release();
  });

  it('fails plainly in a directory that does not exist', () => {
    expect(() => lockDirectory(join(directory, 'none'))).toThrow(/^open .*none\/lock: ENOENT/);
  });

  /** `sh -c "exec sleep"` replaced the shell; flock(1) itself waits for it and dies first. */
  async function killTree(holder: ChildProcess): Promise<void> {
    const children = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8')
      .trim()
      .split(/\s+/);
    const exited = once(holder, 'exit');
    for (const child of children) process.kill(Number(child), 'SIGKILL');
    await exited;
  }
});
