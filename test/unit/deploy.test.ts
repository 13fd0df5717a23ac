/**
 * What is in deploy/ against those who will read it: kubectl, which keeps of a manifest only what it knows, and podwire's
 * own options.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { environmentName } from '../../src/cli/daemon-settings.js';
import { DAEMON_OPTIONS, parseDaemonOptions } from '../../src/control/options.js';

const MANIFEST = fileURLToPath(new URL('../../deploy/kubernetes/podwire.yaml', import.meta.url));
const ENVIRONMENT = fileURLToPath(new URL('../../deploy/systemd/podwire.env', import.meta.url));

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Record<string, string>;
}

const text = readFileSync(MANIFEST, 'utf8');
const documents = parseAllDocuments(text).map((document) => document.toJS() as Manifest);

/** Flags with values, of PODWIRE_ variables. */
function flags(variables: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) => {
      const option = DAEMON_OPTIONS.find((candidate) => environmentName(candidate.name) === name);
      if (option === undefined) throw new Error(`${name} is no setting of the daemon`);
      return [option.name, value];
    }),
  );
}

/** Paths of all values within, as `spec.template.spec.containers.0.name=daemon`. */
function leaves(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null) return [`${path}=${String(value)}`];
  const entries = Object.entries(value);
  if (entries.length === 0) return [`${path}={}`];
  return entries.flatMap(([key, child]) => leaves(child, path === '' ? key : `${path}.${key}`));
}

/** What kubectl makes of the DaemonSet without a server. It complains of the other kinds, which have no images. */
function typed(manifest: string): Manifest {
  const words = ['set', 'image', '--local', '-f', '-', 'daemon=changed', '-o', 'json'];
  const run = spawnSync('kubectl', words, { input: manifest, encoding: 'utf8' });
  if (run.stdout === '') throw new Error(run.stderr);
  return JSON.parse(run.stdout) as Manifest;
}

/** What is in the manifest and kubectl has not kept. */
function lost(manifest: string): string[] {
  const original = parseAllDocuments(manifest).map((document) => document.toJS() as Manifest);
  const daemonSet = original.find(({ kind }) => kind === 'DaemonSet');
  const kept = new Set(leaves(typed(manifest)));
  return leaves(daemonSet).filter((leaf) => !kept.has(leaf));
}

const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;
if (!hasKubectl) console.log('skipped: whether kubectl knows every field needs kubectl');

describe('deploy/kubernetes/podwire.yaml', () => {
  it('has what it needs, all in one namespace', () => {
    const kinds = documents.map(({ kind }) => kind);
    expect(kinds).toEqual(['Namespace', 'ServiceAccount', 'ConfigMap', 'DaemonSet']);
    for (const { metadata } of documents.slice(1)) expect(metadata.namespace).toBe('podwire');
  });

  it.skipIf(!hasKubectl)('has no field that kubectl does not know', () => {
    const image = 'spec.template.spec.containers.0.image=registry.example.com/podwire:0.1.0';
    expect(lost(text)).toEqual([image]);
    const misspelt = text.replace('mountPropagation:', 'mountPropagtion:');
    expect(lost(misspelt)).toContainEqual(expect.stringContaining('mountPropagtion=HostToContainer'));
  });

  it('gives the daemon settings that it takes', () => {
    const { data = {} } = documents.find(({ kind }) => kind === 'ConfigMap') ?? {};
    const options = parseDaemonOptions({ ...flags(data), name: 'k1', underlay: '192.0.2.1' });
    expect(options.store).toEqual({ kind: 'etcd', urls: ['http://192.0.2.10:2379'] });
  });
});

it('deploy/systemd/podwire.env names settings of the daemon only', () => {
  const lines = [...readFileSync(ENVIRONMENT, 'utf8').matchAll(/^#?(PODWIRE_\w+)=(.*)$/gm)];
  expect(lines.length).toBeGreaterThan(5);
  for (const [, name, value] of lines) expect(flags({ [name!]: value! })).toBeDefined();
});
