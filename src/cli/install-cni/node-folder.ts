/**
 * `--with-node`: node, the C library that it is linked to and the plugin's files, for a host that has none of them: what a
 * DaemonSet's container leaves behind for the kubelet's runtime. About 110 MB.
 *
 * Each build has a folder of its own, `podwire.d/VERSION-HASH` beside the plugin, which is written whole, renamed into place, and
 * never changed. So a plugin that runs keeps its files while another version is installed, and going back is a rename.
 * The folder that was in use before stays; those before it go.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { VERSION } from '../../control/version.js';
import { besideName, fileProblem, makeFolder, type Outcome, syncFolder } from './files.js';
import { packageRoot, pluginFiles } from './plugin-files.js';

export const NODE_FOLDERS = 'podwire.d';

export interface NodeFolder {
  /** Its name: version and hash. */
  readonly id: string;
  /** File name of the dynamic loader; undefined where node is linked statically. */
  readonly loader: string | undefined;
  readonly outcome: Outcome;
}

/** Where a file of the folder comes from, by its path within. */
type Contents = ReadonlyMap<string, string>;

/** @throws CliError INSTALL_FAILED */
export function installNodeFolder(binDir: string): NodeFolder {
  const libraries = nodeLibraries();
  const contents = folderContents(libraries);
  const hash = hashOf(contents);
  const id = `${VERSION}-${hash.slice(0, 12)}`;
  const loader = libraries.map((path) => basename(path)).find((name) => name.startsWith('ld-'));
  const folder = join(binDir, NODE_FOLDERS, id);
  try {
    if (isIntact(folder, contents, hash)) return { id, loader, outcome: 'unchanged' };
    putInPlace(folder, contents);
  } catch (error) {
    throw fileProblem(folder, error);
  }
  return { id, loader, outcome: 'installed' };
}

/** Removes the folders but those in `keep`; all of them where it is empty. */
export function removeNodeFolders(binDir: string, keep: readonly string[]): Outcome {
  const parent = join(binDir, NODE_FOLDERS);
  if (!existsSync(parent)) return 'absent';
  for (const name of readdirSync(parent)) {
    if (!keep.includes(name)) rmSync(join(parent, name), { recursive: true, force: true });
  }
  if (keep.length === 0) rmSync(parent, { recursive: true });
  return 'removed';
}

/** What the running node has loaded, its loader among them. The kernel's vdso is no file. */
function nodeLibraries(): string[] {
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] };
  return sharedObjects.filter((path) => path.startsWith('/') && !path.endsWith('.node') && existsSync(path));
}

function folderContents(libraries: readonly string[]): Contents {
  const root = packageRoot();
  return new Map([
    ['node', process.execPath],
    ...libraries.map((path) => [`lib/${basename(path)}`, path] as const),
    ...pluginFiles(root).map((path) => [path, join(root, path)] as const),
  ]);
}

function hashOf(contents: Contents): string {
  const hash = createHash('sha256');
  for (const [name, source] of contents) hash.update(`${name}\0`).update(readFileSync(source));
  return hash.digest('hex');
}

function isIntact(folder: string, contents: Contents, hash: string): boolean {
  const names = [...contents.keys()];
  if (!names.every((name) => existsSync(join(folder, name)))) return false;
  return hashOf(new Map(names.map((name) => [name, join(folder, name)]))) === hash;
}

/** A damaged folder of the same name makes room first: the plugin of that build did not start any more. */
function putInPlace(folder: string, contents: Contents): void {
  makeFolder(dirname(folder));
  const unfinished = besideName(folder);
  try {
    copyAll(unfinished, contents);
    rmSync(folder, { recursive: true, force: true });
    renameSync(unfinished, folder);
    syncFolder(dirname(folder));
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function copyAll(folder: string, contents: Contents): void {
  for (const [name, source] of contents) {
    const target = join(folder, name);
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
    copyFileSync(source, target);
    chmodSync(target, isProgram(name) ? 0o755 : 0o644);
    syncFolder(target);
  }
}

function isProgram(name: string): boolean {
  return name === 'node' || name.startsWith('lib/') || name.startsWith('bin/');
}
