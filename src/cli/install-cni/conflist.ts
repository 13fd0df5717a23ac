/**
 * The network configuration that a runtime reads: podwire, which publishes ports itself. Who wants the portmap plugin to do that has it
 * chained behind; then it has the capability, and podwire has not, for a runtime hands it to everybody who declares it.
 *
 * Its version is 1.0.0: podman 4 and containerd 1.6 refuse a newer one. Where every plugin of the chain speaks 1.1.0,
 * `cniVersions` offers that too (CNI 1.1, section 1): a runtime that knows the key takes the highest version that it
 * speaks, and so gets STATUS and GC; older ones do not look at it.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_SOCKET } from '../context.js';
import { type CliError, failure } from '../errors.js';
import { readIfThere } from './files.js';
import { conflistPath, DEFAULTS, type InstallSettings, PLUGIN } from './settings.js';

export const BASE_VERSION = '1.0.0';
export const NEW_VERSION = '1.1.0';

/** What libcni reads, in the order of names; containerd and the kubelet's runtimes take the first. */
const CONFIG_FILE = /\.(conf|conflist|json)$/;

/** @param newer whether every plugin of the chain speaks NEW_VERSION */
export function conflistText(settings: InstallSettings, chain: { portmap: boolean; newer: boolean }): string {
  const { name, network, socket } = settings;
  const own = {
    type: PLUGIN,
    socket,
    network,
    capabilities: { ips: true, mac: true, bandwidth: true, aliases: true, portMappings: !chain.portmap },
  };
  const portmap = { type: 'portmap', capabilities: { portMappings: true } };
  const conflist = {
    cniVersion: BASE_VERSION,
    ...(chain.newer && { cniVersions: [BASE_VERSION, NEW_VERSION] }),
    name,
    plugins: [own, ...(chain.portmap ? [portmap] : [])],
  };
  return `${JSON.stringify(conflist, null, 2)}\n`;
}

/** @throws CliError INSTALL_REFUSED where the file is there and describes a network that is not podwire's */
export function refuseForeignConflist(path: string, force: boolean): void {
  const text = readIfThere(path);
  if (text === undefined || force || isOurs(text)) return;
  throw foreign(path, 'it describes a network that is not of podwire');
}

export function foreign(path: string, why: string): CliError {
  return failure('INSTALL_REFUSED', `${path} stays as it is: ${why}; --force replaces or removes it`);
}

/** Whether podwire's plugin has a part in it. */
export function isOurs(text: string): boolean {
  const config = parse(text);
  return config?.type === PLUGIN || (config?.plugins ?? []).some((plugin) => plugin?.type === PLUGIN);
}

/** What in the folder stands in the way of the conflist, in words. */
export function conflistWarnings(settings: InstallSettings): string[] {
  const { confDir, confName, name } = settings;
  return configFiles(confDir).flatMap((file) => {
    if (file === confName) return [];
    const path = join(confDir, file);
    const text = readIfThere(path) ?? '';
    if (parse(text)?.name === name) return [`${path} has the name ${name} too: rename one of them (--name)`];
    if (file < confName) return [isOurs(text) ? first(path, settings) : earlier(path, settings)];
    return isOurs(text) ? [another(path, file)] : [];
  });
}

/** Of the folder, every configuration in which podwire's plugin has a part. */
export function conflistsOfOurs(confDir: string): string[] {
  return configFiles(confDir)
    .map((file) => join(confDir, file))
    .filter((path) => isOurs(readIfThere(path) ?? ''));
}

/** Several networks of ours are in order: podman takes them by name. */
function first(path: string, settings: InstallSettings): string {
  return `${path} comes before ${conflistPath(settings)}: pods of Kubernetes get the first one; podman takes either by its name`;
}

function another(path: string, file: string): string {
  return `${path} is of podwire too; if nobody asks for it by its name: podwire install-cni --conf-name ${file} --uninstall`;
}

function earlier(path: string, settings: InstallSettings): string {
  return `${path} comes before ${conflistPath(settings)}: runtimes that take the first one use it for pods; remove it or choose an earlier --conf-name`;
}

/** A file of the folder, as the doctor looks at it. */
export interface Chain {
  readonly path: string;
  /** Plugins in their order. */
  readonly types: readonly string[];
  /** Of podwire's own part, where it has one. */
  readonly socket: string;
  readonly network: string;
  /** Why no runtime can use it. */
  readonly problem?: string;
}

/** In the order in which runtimes read them. */
export function configurations(confDir: string): Chain[] {
  return configFiles(confDir).map((file) => chainOf(join(confDir, file)));
}

function chainOf(path: string): Chain {
  const config = parse(readIfThere(path) ?? '');
  const plugins = config?.plugins ?? [config];
  const types = plugins.flatMap((plugin) => (typeof plugin?.type === 'string' ? [plugin.type] : []));
  const own = plugins.find((plugin) => plugin?.type === PLUGIN);
  return {
    path,
    types,
    socket: wordOr(DEFAULT_SOCKET, own?.socket),
    network: wordOr(DEFAULTS.network, own?.network),
    ...(config === undefined && { problem: 'is not JSON: runtimes refuse it' }),
    ...(config !== undefined && types.length === 0 && { problem: 'names no plugin: runtimes refuse it' }),
  };
}

function wordOr(instead: string, value: unknown): string {
  return typeof value === 'string' && value !== '' ? value : instead;
}

function configFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => CONFIG_FILE.test(name))
      .sort();
  } catch {
    return [];
  }
}

interface SomePlugin {
  readonly type?: unknown;
  readonly socket?: unknown;
  readonly network?: unknown;
}

interface SomeConfig extends SomePlugin {
  readonly name?: unknown;
  readonly plugins?: readonly (SomePlugin | null)[];
}

/** Undefined where it is no JSON object; `plugins` that is no list counts as none. */
function parse(text: string): SomeConfig | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { plugins, ...rest } = value as SomeConfig;
    return Array.isArray(plugins) ? { ...rest, plugins } : rest;
  } catch {
    return undefined;
  }
}
