/**
 * What `podwire install-cni` was asked for, checked. The defaults are where containerd and the kubelet look; Debian's own
 * packages of containerd and podman look for plugins in /usr/lib/cni, hence `--bin-dir`.
 */
import { isAbsolute, join, resolve } from 'node:path';
import { usage } from '../errors.js';

export const PLUGIN = 'podwire-cni';

export const PortmapChoice = { AUTO: 'auto', ON: 'on', OFF: 'off' } as const;
export type PortmapChoice = (typeof PortmapChoice)[keyof typeof PortmapChoice];

export interface InstallFlags {
  readonly binDir?: string;
  readonly confDir?: string;
  readonly confName?: string;
  readonly name?: string;
  readonly network?: string;
  readonly portmap?: string;
  readonly timeout?: string;
  /** False for --no-wait. */
  readonly wait?: boolean;
  readonly withNode?: boolean;
  readonly force?: boolean;
  readonly uninstall?: boolean;
  readonly print?: boolean;
}

export interface InstallSettings {
  readonly binDir: string;
  readonly confDir: string;
  readonly confName: string;
  /** `name` of the network configuration, as runtimes list it. */
  readonly name: string;
  /** podwire's Network. */
  readonly network: string;
  readonly socket: string;
  readonly portmap: PortmapChoice;
  readonly withNode: boolean;
  readonly force: boolean;
  /** How long to wait for the daemon; 0 for --no-wait. */
  readonly waitMs: number;
}

export const DEFAULTS = {
  binDir: '/opt/cni/bin',
  confDir: '/etc/cni/net.d',
  confName: '10-podwire.conflist',
  name: 'podwire',
  network: 'default',
  timeout: '60',
} as const;

/** What CNI allows as the name of a network (specification 1.1, section 1). */
const CONFIG_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** A resource's name, as the API has it. */
const NETWORK_NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;
const FILE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*\.conflist$/;
const MOST_SECONDS = 86_400;

/** @throws CliError USAGE, naming the flag */
export function installSettings(flags: InstallFlags, socket: string): InstallSettings {
  const { withNode = false, force = false, wait = true } = flags;
  const seconds = wholeSeconds(flags.timeout ?? DEFAULTS.timeout);
  return {
    binDir: folder('--bin-dir', flags.binDir ?? DEFAULTS.binDir),
    confDir: folder('--conf-dir', flags.confDir ?? DEFAULTS.confDir),
    confName: matching(
      '--conf-name',
      flags.confName ?? DEFAULTS.confName,
      FILE_NAME,
      'a file name that ends in .conflist',
    ),
    name: matching('--name', flags.name ?? DEFAULTS.name, CONFIG_NAME, 'letters, digits, - _ and .'),
    network: matching('--network', flags.network ?? DEFAULTS.network, NETWORK_NAME, 'the name of a Network'),
    socket: resolve(socket),
    portmap: portmapChoice(flags.portmap ?? PortmapChoice.AUTO),
    withNode,
    force,
    waitMs: wait ? seconds * 1000 : 0,
  };
}

export function pluginPath({ binDir }: InstallSettings): string {
  return join(binDir, PLUGIN);
}

export function conflistPath({ confDir, confName }: InstallSettings): string {
  return join(confDir, confName);
}

/** Runtimes start the plugin anywhere, so what is relative here would be elsewhere there. */
function folder(flag: string, path: string): string {
  if (path === '' || path.includes('\0')) throw usage(`${flag}: must be a folder`);
  return isAbsolute(path) ? resolve(path) : resolve(process.cwd(), path);
}

function matching(flag: string, text: string, pattern: RegExp, what: string): string {
  if (!pattern.test(text)) throw usage(`${flag} ${text}: must be ${what}`);
  return text;
}

function portmapChoice(text: string): PortmapChoice {
  const found = Object.values(PortmapChoice).find((choice) => choice === text);
  if (found === undefined) throw usage(`--portmap ${text}: must be auto, on or off`);
  return found;
}

function wholeSeconds(text: string): number {
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (seconds >= 1 && seconds <= MOST_SECONDS) return seconds;
  throw usage(`--timeout ${text}: must be a whole number of seconds from 1 to ${MOST_SECONDS}`);
}
