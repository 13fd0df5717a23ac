/**
 * Which files of the package the plugin needs: bin/podwire-cni and what it imports, followed through the built modules.
 * They are few, import nothing but each other and Node, and keep their places, so the copy needs no bundler.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure } from '../errors.js';
import { PLUGIN } from './settings.js';

/** A relative module in quotes: of an import, or of the URL from which the start in bin/ imports. */
const RELATIVE = /['"](\.{1,2}\/[^'"\n]+\.js)['"]/g;
/** An import of a package; of several lines the last one says from where. */
const PACKAGE = /^(?:(?:import|export|\}).*\bfrom|import)\s*['"](?!node:|\.)([^'"]+)['"]/m;

export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

export function pluginProgram(): string {
  return join(packageRoot(), 'bin', PLUGIN);
}

/** Paths below `root`; package.json is among them, since it makes the files modules. */
export function pluginFiles(root: string): string[] {
  const found = new Set(['package.json', `bin/${PLUGIN}`]);
  for (const path of found) {
    if (path.endsWith('.json')) continue;
    for (const next of importsOf(root, path)) found.add(next);
  }
  return [...found];
}

function importsOf(root: string, path: string): string[] {
  const text = read(root, path);
  const foreign = PACKAGE.exec(text)?.[1];
  if (foreign !== undefined) throw failure('INSTALL_FAILED', `${path} needs the package ${foreign}`);
  return [...text.matchAll(RELATIVE)].map(([, to]) => normalize(join(dirname(path), to!)));
}

function read(root: string, path: string): string {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    throw failure('INSTALL_FAILED', `${join(root, path)} is missing; is podwire built (npm run build)?`);
  }
}
