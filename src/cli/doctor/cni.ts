/**
 * What container runtimes of this host are told of podwire: the conflist, the plugins that it names, the daemon behind it,
 * and what published ports take besides. All of it is a remark at most: podwire runs without.
 */
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ApiClient } from '../client.js';
import { type Chain, configurations } from '../install-cni/conflist.js';
import { isExecutable } from '../install-cni/files.js';
import { supportedVersions } from '../install-cni/plugin-versions.js';
import { DEFAULTS, PLUGIN } from '../install-cni/settings.js';
import { type Finding, ok, warning } from './finding.js';

export interface CniPlaces {
  readonly confDir: string;
  /** Where plugins may be: containerd's and Kubernetes' folder, and Debian's. */
  readonly binDirs: readonly string[];
}

export const CNI_PLACES: CniPlaces = {
  confDir: DEFAULTS.confDir,
  binDirs: [DEFAULTS.binDir, '/usr/lib/cni'],
};

export async function cni({ confDir, binDirs }: CniPlaces, forwards = isForwarding): Promise<Finding[]> {
  const all = configurations(confDir);
  const ours = all.filter(({ types }) => types.includes(PLUGIN));
  const broken = all.filter(({ problem }) => problem !== undefined);
  const binDir = binDirs.find((folder) => isExecutable(join(folder, PLUGIN)));
  if (ours.length === 0 && binDir === undefined) return [notInstalled(confDir)];
  return [
    pluginFinding(binDir, binDirs),
    ...broken.map(({ path, problem }) => warning('CNI conflist', `${path} ${problem}`, 'mend or remove it')),
    conflistFinding(confDir, all, ours),
    ...(await Promise.all(ours.map(daemonFinding))),
    ...(binDir === undefined ? [] : chainFindings(binDir, ours)),
    ...(ours.some(({ types }) => types.includes('portmap')) ? [publishedPorts(forwards())] : []),
  ];
}

function notInstalled(confDir: string): Finding {
  return ok(
    'CNI',
    `nothing of podwire in ${confDir}; for containers of podman or containerd: podwire install-cni`,
  );
}

/** Started, as a runtime would: a Node that went away shows only so. */
function pluginFinding(binDir: string | undefined, binDirs: readonly string[]): Finding {
  const name = 'CNI plugin';
  if (binDir === undefined) {
    return warning(name, `no ${PLUGIN} in ${binDirs.join(' or ')}`, 'podwire install-cni --bin-dir DIR');
  }
  const path = join(binDir, PLUGIN);
  try {
    return ok(name, `${path} speaks CNI up to ${supportedVersions(path).at(-1)}`);
  } catch (error) {
    return warning(name, (error as Error).message, `podwire install-cni --bin-dir ${binDir}`);
  }
}

/** containerd, CRI-O and so Kubernetes take the first file of the folder; podman takes them by name. */
function conflistFinding(confDir: string, all: readonly Chain[], ours: readonly Chain[]): Finding {
  const name = 'CNI conflist';
  const [first] = all.filter(({ problem }) => problem === undefined);
  if (ours.length === 0) return warning(name, `none of podwire in ${confDir}`, 'podwire install-cni');
  const paths = ours.map((chain) => `${chain.path} (${chain.types.join(', ')})`).join(', ');
  if (first === ours[0]) return ok(name, paths);
  return warning(
    name,
    `${first?.path} comes before ${ours[0]?.path}`,
    'pods of Kubernetes get the first one, podman takes networks by name: remove it, or podwire install-cni --conf-name with an earlier name',
  );
}

/** Whether a container would get its interface now: the plugin's STATUS, asked where the conflist says. */
async function daemonFinding({ path, socket, network }: Chain): Promise<Finding> {
  const name = 'CNI daemon';
  try {
    await new ApiClient(socket).get(`/v1/cni/status?network=${encodeURIComponent(network)}`);
    return ok(name, `containers can join ${network} through ${socket}`);
  } catch (error) {
    const fix = `what ${path} names is the daemon's --socket and one of podwire get networks; else podwire install-cni again`;
    return warning(name, `no container can join ${network}: ${(error as Error).message}`, fix);
  }
}

function chainFindings(binDir: string, ours: readonly Chain[]): Finding[] {
  const missing = new Set(
    ours.flatMap(({ types }) => types).filter((type) => !isExecutable(join(binDir, type))),
  );
  return [...missing].map((type) =>
    warning(
      'CNI chain',
      `${binDir} has no ${type}, which a conflist names: no container starts`,
      'install the reference plugins of CNI (Debian: containernetworking-plugins), or podwire install-cni again',
    ),
  );
}

/** The portmap plugin writes rules with iptables; beyond this host they take forwarding. */
function publishedPorts(forwards: boolean): Finding {
  const name = 'published ports';
  if (!inPath('iptables')) {
    return warning(name, 'portmap needs iptables, which is not there', 'install iptables');
  }
  if (forwards) return ok(name, 'portmap has iptables, and the kernel forwards');
  return warning(
    name,
    'answer on this host only: the kernel does not forward',
    'for other machines: sysctl -w net.ipv4.ip_forward=1 (and docs/guides/podman.md, Containers)',
  );
}

function isForwarding(): boolean {
  return readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1';
}

function inPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
