/** Who pays for the end of a file: the last descriptor is closed after the action, whatever becomes of it. */
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { outliving } from '../../../../src/control/host/tap.js';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-outliving-'));
  path = join(folder, 'file');
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Descriptors of this process that lead to the file. */
function holders(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === path;
    } catch {
      return false;
    }
  }).length;
}

test('the file outlives the close of the descriptor, until the action is over', async () => {
  const fd = openSync(path, 'w');
  await outliving(fd, async () => {
    closeSync(fd);
    expect(holders()).toBe(1);
  });
  expect(holders()).toBe(0);
});

test('nothing stays open where the action fails', async () => {
  const fd = openSync(path, 'w');
  const failing = outliving(fd, async () => {
    closeSync(fd);
    throw new Error('refused');
  });
  await expect(failing).rejects.toThrow('refused');
  expect(holders()).toBe(0);
});
