/** What /bin/sh makes of the wrapper is for /bin/sh to say. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import {
  folderOf,
  isWrapper,
  quote,
  wrapperOfFolder,
  wrapperOfHost,
} from '../../../../src/cli/install-cni/wrapper.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-wrapper-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

function executable(path: string, text: string): string {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
  return path;
}

/** A program that prints its arguments and some of its environment. */
const SAYS = '#!/bin/sh\necho "$@" NODE_OPTIONS=$NODE_OPTIONS\n';

function run(path: string, env: NodeJS.ProcessEnv = {}) {
  return spawnSync(path, ['a b', 'c'], { encoding: 'utf8', env });
}

describe('wrapperOfHost', () => {
  it("starts the node that it was written by, with the program, whatever the runtime's environment", () => {
    const node = executable(join(folder, "no'de $x"), SAYS);
    const wrapper = executable(join(folder, 'podwire-cni'), wrapperOfHost(node, "/it's/podwire-cni"));
    const { stdout, stderr } = run(wrapper, { NODE_OPTIONS: '--inspect' });
    expect({ stdout, stderr }).toEqual({ stdout: "/it's/podwire-cni a b c NODE_OPTIONS=\n", stderr: '' });
  });

  it('takes the node of the PATH where that one is gone', () => {
    executable(join(folder, 'node'), SAYS);
    const wrapper = executable(join(folder, 'podwire-cni'), wrapperOfHost('/gone/node', '/p'));
    expect(run(wrapper, { PATH: `${folder}:/usr/bin:/bin` }).stdout).toBe('/p a b c NODE_OPTIONS=\n');
  });
});

describe('wrapperOfFolder', () => {
  const build = { id: '1.0-abc', loader: 'ld-x.so', outcome: 'installed' } as const;

  it('finds its folder beside itself wherever that is, and through a link', () => {
    mkdirSync(join(folder, 'podwire.d', build.id, 'lib'), { recursive: true });
    executable(join(folder, 'podwire.d', build.id, 'lib', build.loader), SAYS);
    const wrapper = executable(join(folder, 'podwire-cni'), wrapperOfFolder('/elsewhere', build));
    const base = `${folder}/podwire.d/${build.id}`;
    const said = `--library-path ${base}/lib ${base}/node ${base}/bin/podwire-cni a b c NODE_OPTIONS=\n`;
    expect(run(wrapper).stdout).toBe(said);
    executable(wrapper, wrapperOfFolder(folder, build));
    mkdirSync(join(folder, 'links'));
    symlinkSync(wrapper, join(folder, 'links', 'podwire-cni'));
    expect(run(join(folder, 'links', 'podwire-cni')).stdout).toBe(said);
  });

  it('says which folder it is for', () => {
    const path = executable(join(folder, 'podwire-cni'), wrapperOfFolder(folder, build));
    expect(folderOf(path)).toBe(build.id);
    expect(folderOf(executable(path, wrapperOfHost('/node', '/p')))).toBeUndefined();
    expect(folderOf(join(folder, 'none'))).toBeUndefined();
  });
});

it('recognises its own files only', () => {
  const path = join(folder, 'podwire-cni');
  expect(isWrapper(path)).toBeUndefined();
  expect(isWrapper(executable(path, wrapperOfHost('/node', '/p')))).toBe(true);
  for (const text of ['', '\x7fELF', '#!/bin/sh\nexec podwire-cni\n'])
    expect(isWrapper(executable(path, text))).toBe(false);
});

it('quotes any text as one word', () => {
  for (const text of ['', 'a b', "it's", '$(id) `id` \\ " *']) {
    expect(spawnSync('sh', ['-c', `printf %s ${quote(text)}`], { encoding: 'utf8' }).stdout).toBe(text);
  }
});
