import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { replaceFile } from '../../../../src/cli/install-cni/files.js';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-replace-'));
  path = join(folder, 'new', 'file');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});

describe('replaceFile', () => {
  it('makes folders, and the mode whatever the umask', () => {
    const umask = process.umask(0o077);
    onTestFinished(() => void process.umask(umask));
    expect(replaceFile(path, 'a', 0o755)).toBe('installed');
    expect(statSync(path).mode & 0o777).toBe(0o755);
    expect(statSync(path).uid).toBe(process.getuid?.());
  });

  it('leaves the old file, and nothing else, where the new one is found wanting', () => {
    replaceFile(path, 'old', 0o644);
    const refuse = (file: string) => {
      expect(readFileSync(file, 'utf8')).toBe('new');
      throw new Error('it does not start');
    };
    expect(() => replaceFile(path, 'new', 0o644, refuse)).toThrow('it does not start');
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(join(folder, 'new'))).toEqual(['file']);
  });

  it('is another file afterwards, so that whoever has the old one open reads that to its end', () => {
    replaceFile(path, 'old', 0o644);
    const before = statSync(path).ino;
    expect(replaceFile(path, 'old', 0o644)).toBe('unchanged');
    expect(statSync(path).ino).toBe(before);
    expect(replaceFile(path, 'new', 0o644)).toBe('updated');
    expect(statSync(path).ino).not.toBe(before);
  });
});
