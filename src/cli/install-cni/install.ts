/**
 * The order of an installation, in which a node that works goes on working: what the plugin needs, then the plugin, tried
 * before it is put in place, then, once the daemon is ready, the conflist. Removal goes the other way round. Whatever
 * stops it in between leaves the earlier state in force, and doing it again finishes it.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { failure } from '../errors.js';
import {
  conflistsOfOurs,
  conflistText,
  conflistWarnings,
  foreign,
  NEW_VERSION,
  refuseForeignConflist,
} from './conflist.js';
import { isExecutable, type Outcome, readIfThere, removeFile, replaceFile } from './files.js';
import { installNodeFolder, NODE_FOLDERS, type NodeFolder, removeNodeFolders } from './node-folder.js';
import { pluginProgram } from './plugin-files.js';
import { supportedVersions } from './plugin-versions.js';
import { waitForDaemon } from './ready.js';
import { conflistPath, type InstallSettings, PortmapChoice, pluginPath } from './settings.js';
import { folderOf, isWrapper, wrapperOfFolder, wrapperOfHost } from './wrapper.js';

export interface InstallResult {
  readonly files: readonly { readonly path: string; readonly outcome: Outcome }[];
  readonly warnings: readonly string[];
}

/** @throws CliError INSTALL_REFUSED, INSTALL_FAILED, NOT_READY, NOT_FOUND */
export async function install(settings: InstallSettings): Promise<InstallResult> {
  const [plugin, conflist] = [pluginPath(settings), conflistPath(settings)];
  refuseForeignPlugin(plugin, settings.force);
  refuseForeignConflist(conflist, settings.force);
  const before = folderOf(plugin);
  const folder = settings.withNode ? installNodeFolder(settings.binDir) : undefined;
  const own = installPlugin(settings, folder);
  const text = conflistText(settings, chainOf(settings, own.versions));
  if (settings.waitMs > 0 && readIfThere(conflist) !== text) {
    await waitForDaemon(settings.socket, settings.network, settings.waitMs);
  }
  const outcome = replaceFile(conflist, text, 0o644);
  tidyFolders(settings.binDir, before, folder);
  const folderPath = folder && join(settings.binDir, NODE_FOLDERS, folder.id);
  return {
    files: [
      ...(folder && folderPath ? [{ path: folderPath, outcome: folder.outcome }] : []),
      { path: plugin, outcome: own.outcome },
      { path: conflist, outcome },
    ],
    warnings: conflistWarnings(settings),
  };
}

/** The conflist first, so that no runtime starts what is no longer there. The plugin stays while another conflist has it. */
export function uninstall(settings: InstallSettings): InstallResult {
  const [plugin, conflist] = [pluginPath(settings), conflistPath(settings)];
  refuseForeignConflist(conflist, settings.force);
  refuseForeignPlugin(plugin, settings.force);
  const removed = { path: conflist, outcome: removeFile(conflist) };
  const users = conflistsOfOurs(settings.confDir);
  if (users.length > 0 && existsSync(plugin)) {
    return { files: [removed, { path: plugin, outcome: 'kept' }], warnings: [stillUsed(plugin, users)] };
  }
  const files = [removed, { path: plugin, outcome: removeFile(plugin) }];
  const folders = removeNodeFolders(settings.binDir, []);
  if (folders === 'absent') return { files, warnings: [] };
  return { files: [...files, { path: join(settings.binDir, NODE_FOLDERS), outcome: folders }], warnings: [] };
}

/** What the conflist would be. The plugin of this package is asked, not the one installed. */
export function conflistOf(settings: InstallSettings): string {
  return conflistText(settings, chainOf(settings, supportedVersions(pluginProgram())));
}

function stillUsed(plugin: string, users: readonly string[]): string {
  return `${plugin} stays: ${users.join(', ')} ${users.length === 1 ? 'needs' : 'need'} it; --uninstall with --conf-name removes those too, and with the last one the plugin`;
}

function installPlugin(settings: InstallSettings, folder: NodeFolder | undefined) {
  const text =
    folder === undefined
      ? wrapperOfHost(process.execPath, pluginProgram())
      : wrapperOfFolder(settings.binDir, folder);
  let versions: readonly string[] = [];
  const outcome = replaceFile(pluginPath(settings), text, 0o755, (file) => {
    versions = supportedVersions(file);
  });
  return { outcome, versions };
}

function refuseForeignPlugin(path: string, force: boolean): void {
  if (isWrapper(path) === false && !force) throw foreign(path, 'podwire install-cni has not written it');
}

function chainOf(settings: InstallSettings, own: readonly string[]): { portmap: boolean; newer: boolean } {
  const path = join(settings.binDir, 'portmap');
  const portmap = settings.portmap === PortmapChoice.ON;
  if (portmap && !isExecutable(path)) {
    throw failure('INSTALL_FAILED', `--portmap on: ${path} is missing; install the reference plugins of CNI`);
  }
  const versions = portmap ? supportedVersions(path) : [NEW_VERSION];
  return { portmap, newer: own.includes(NEW_VERSION) && versions.includes(NEW_VERSION) };
}

/** One earlier folder stays: a plugin may just have been started from it. */
function tidyFolders(binDir: string, before: string | undefined, folder: NodeFolder | undefined): void {
  const keep = [before, folder?.id].filter((id) => id !== undefined);
  if (keep.length > 0) removeNodeFolders(binDir, keep);
}
