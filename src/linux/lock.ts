/**
 * One daemon for a data directory: an advisory flock(2) on the file `lock` in it. The kernel drops the lock
 * with the last descriptor, so a killed daemon leaves none behind; the process id in the file is only for
 * the message of the one who comes second.
 */
import { ftruncateSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Errno, LinuxError, SystemError } from './errno.js';
import { check, closeFile, libc, OpenFlags, openFile } from './libc.js';

/** sys/file.h */
const LOCK_EX = 2;
const LOCK_NB = 4;

const LOCK_FILE = 'lock';

export interface DirectoryLock {
  /** The lock file; it stays when the lock is released, so that two lockers never hold different files. */
  readonly path: string;
  release(): void;
}

/**
 * Locks an existing directory for this process. Throws LinuxError DATA_DIR_IN_USE when another holder lives
 * (a second call in this process counts as one), SystemError when the file cannot be opened.
 */
export function lockDirectory(directory: string): DirectoryLock {
  const path = join(directory, LOCK_FILE);
  const fd = openFile(path, OpenFlags.O_RDWR | OpenFlags.O_CREAT, 0o600);
  try {
    takeLock(fd, directory, path);
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    closeFile(fd);
    throw error;
  }
  let held = true;
  return {
    path,
    release: () => {
      if (held) closeFile(fd);
      held = false;
    },
  };
}

function takeLock(fd: number, directory: string, path: string): void {
  try {
    check(libc().flock(fd, LOCK_EX | LOCK_NB), 'flock', path);
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== Errno.EAGAIN) throw error;
    throw new LinuxError(
      'DATA_DIR_IN_USE',
      `${directory} is in use by another podwire daemon (${holder(path)}); stop it, or give --data another directory`,
      error,
    );
  }
}

function holder(path: string): string {
  const pid = readFileSync(path, 'utf8').trim();
  return /^\d+$/.test(pid) ? `process ${pid}` : 'process unknown';
}
