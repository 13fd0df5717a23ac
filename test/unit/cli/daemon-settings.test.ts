import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { environmentName, mergeSettings, parseConfig } from '../../../src/cli/daemon-settings.js';

const NAMES = ['name', 'mtu', 'pod-cidr', 'io'];

function configFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'config.yaml');
  writeFileSync(path, text);
  return path;
}

describe('precedence', () => {
  it('is flag, environment, file, and else not set', () => {
    const path = configFile('name: file\nmtu: 1400\npod-cidr: 10.1.0.0/24\n');
    const env = { PODWIRE_NAME: 'env', PODWIRE_MTU: '1300' };
    expect(mergeSettings(NAMES, { name: 'flag' }, env, path)).toEqual({
      name: 'flag',
      mtu: '1300',
      'pod-cidr': '10.1.0.0/24',
      io: undefined,
    });
  });

  it('finds the file through the environment, and the flag before that', () => {
    const [one, two] = [configFile('name: one'), configFile('name: two')];
    expect(mergeSettings(NAMES, {}, { PODWIRE_CONFIG: one }).name).toBe('one');
    expect(mergeSettings(NAMES, {}, { PODWIRE_CONFIG: one }, two).name).toBe('two');
  });

  it('takes an empty environment variable for one that is not set, but an empty flag as given', () => {
    const path = configFile('name: file');
    expect(mergeSettings(NAMES, {}, { PODWIRE_NAME: '' }, path).name).toBe('file');
    expect(mergeSettings(NAMES, { name: '' }, { PODWIRE_NAME: 'env' }, path).name).toBe('');
  });

  it('does not look at variables of other names', () => {
    const settings = mergeSettings(NAMES, {}, { PODWIRE_SOCKETS: 'x', NAME: 'y' });
    expect(Object.values(settings)).toEqual([undefined, undefined, undefined, undefined]);
  });
});

it('derives the name of the variable from the flag', () => {
  expect(environmentName('pod-cidr')).toBe('PODWIRE_POD_CIDR');
});

describe('the configuration file', () => {
  it('joins lists and takes numbers and booleans as text', () => {
    expect(parseConfig('pod-cidr: [10.1.0.0/24, "fd01::/64"]\nmtu: 1400\nname: true', 'f', NAMES)).toEqual({
      'pod-cidr': '10.1.0.0/24,fd01::/64',
      mtu: '1400',
      name: 'true',
    });
  });

  it('may be empty, or name a setting without a value', () => {
    expect(parseConfig('', 'f', NAMES)).toEqual({});
    expect(parseConfig('# nothing\n', 'f', NAMES)).toEqual({});
    expect(parseConfig('name:\n', 'f', NAMES)).toEqual({ name: undefined });
  });

  it.each([
    ['pod-cdir: x', 'f: pod-cdir: there is no such setting; the names are those of the flags: name, mtu'],
    ['- name', 'f: must be a mapping'],
    ['just text', 'f: must be a mapping'],
    ['name: {a: b}', 'f: name: must be a text, a number or a list of them'],
    ['name: a\nname: b', 'f: Map keys must be unique'],
    ['a: "b', 'f: Missing closing "quote'],
  ])('refuses %j', (text, message) => {
    expect(() => parseConfig(text, 'f', NAMES)).toThrow(
      expect.objectContaining({ code: 'INVALID', exitStatus: 2, message: expect.stringContaining(message) }),
    );
  });

  it('says which file cannot be read', () => {
    expect(() => mergeSettings(NAMES, {}, {}, '/nonexistent/podwire.yaml')).toThrow(
      expect.objectContaining({
        code: 'FILE_UNREADABLE',
        message: expect.stringContaining('/nonexistent/podwire.yaml'),
      }),
    );
  });
});
