/**
 * podman on a host that is a network namespace, with storage, state, configuration and control groups of its own, so
 * that several run beside each other and beside the machine's own.
 *
 * It is entered with `nsenter --net`, not `ip netns exec`: the latter has a mount namespace of its own, and what
 * podman mounts at /run/netns, a container's network namespace, would be seen neither by the daemon nor by the next
 * call of podman.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CniFolders, type CniNetwork } from './cni-folders.js';
import { IMAGE, writeImage } from './image.js';
import { endProcesses, removeCgroups, removeCniResults, removeNetns, unmountBelow } from './leftovers.js';

const run = promisify(execFile);
/** A call takes 0.3 s; many times that where the machine is busy. */
const DEADLINE_MS = 60_000;

let made = 0;

export interface PodmanOptions {
  /** Path of the network namespace that is the host. */
  readonly netns: string;
  /** The daemon's socket. */
  readonly socket: string;
  /** The first one is the default network. */
  readonly networks: readonly CniNetwork[];
}

export class PodmanHost {
  readonly directory = mkdtempSync(join(tmpdir(), 'podwire-podman-'));
  readonly folders: CniFolders;
  private readonly cgroup = `podwire-podman-${process.pid}-${made++}`;
  private readonly configuration = join(this.directory, 'containers.conf');

  private constructor(private readonly options: PodmanOptions) {
    this.folders = new CniFolders(this.directory, options.socket, options.networks);
    writeFileSync(this.configuration, this.containersConf());
  }

  static async start(options: PodmanOptions): Promise<PodmanHost> {
    const host = new PodmanHost(options);
    try {
      await host.podman('load', '--input', writeImage(host.directory));
    } catch (error) {
      await host.cleanup();
      throw error;
    }
    return host;
  }

  /** Runs podman and answers what it printed. @throws with what it said where it fails */
  async podman(...words: string[]): Promise<string> {
    const at = (name: string) => join(this.directory, name);
    const storage = ['--root', at('root'), '--runroot', at('run'), '--tmpdir', at('tmp')];
    const enter = [`--net=${this.options.netns}`, 'podman', ...storage, '--storage-driver', 'vfs'];
    const env = { ...process.env, CONTAINERS_CONF: this.configuration };
    const { stdout } = await run('nsenter', [...enter, ...words], { env, timeout: DEADLINE_MS });
    return stdout.trim();
  }

  /** A container that runs `command`, or sleeps. Answers its ID. */
  run(name: string, flags: readonly string[] = [], ...command: string[]): Promise<string> {
    const cgroup = flags.includes('--pod') ? [] : ['--cgroup-parent', `/${this.cgroup}`];
    const words = ['--detach', '--pull', 'never', '--name', name, ...cgroup, ...flags, IMAGE, ...command];
    return this.podman('run', ...words);
  }

  /** A pod: a container that does nothing has the namespace, others join it. */
  createPod(name: string, ...flags: string[]): Promise<string> {
    return this.podman('pod', 'create', '--name', name, '--cgroup-parent', `/${this.cgroup}`, ...flags);
  }

  exec(container: string, ...command: string[]): Promise<string> {
    return this.podman('exec', container, ...command);
  }

  /** Removes containers at once, whether they run or not. */
  remove(...containers: string[]): Promise<string> {
    return this.podman('rm', '--force', '--time', '0', ...containers);
  }

  removePod(name: string): Promise<string> {
    return this.podman('pod', 'rm', '--force', '--time', '0', name);
  }

  /** Addresses of a container, as podman has them from the plugin; IPv4 first. */
  async addresses(container: string, network?: string): Promise<string[]> {
    return this.addressesIn(network ?? this.options.networks[0].name, container).then(([first]) => first);
  }

  /** The same of several, in the default network. */
  addressesOf(...containers: string[]): Promise<string[][]> {
    return this.addressesIn(this.options.networks[0].name, ...containers);
  }

  /** Paths of the network namespaces of containers. */
  async namespaces(...containers: string[]): Promise<string[]> {
    const format = ['--format', '{{.NetworkSettings.SandboxKey}}'];
    const printed = await this.podman('inspect', ...format, ...containers);
    return printed.split('\n').filter((path) => path !== '');
  }

  /** Removes every container and pod. */
  async removeAll(): Promise<void> {
    await this.attempt('pod', 'rm', '--all', '--force', '--time', '0');
    await this.attempt('rm', '--all', '--force', '--time', '0');
  }

  /** Nothing of this host remains, whatever its containers were doing. Needs the daemon, for an orderly DEL. */
  async cleanup(): Promise<void> {
    const containers = await this.attempt('ps', '--all', '--quiet', '--no-trunc');
    const namespaces = containers.length > 0 ? await this.namespaces(...containers).catch(() => []) : [];
    await this.removeAll();
    await endProcesses(this.directory, this.cgroup);
    for (const namespace of namespaces) removeNetns(namespace);
    removeCniResults(containers);
    unmountBelow(this.directory);
    await removeCgroups(this.cgroup);
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async addressesIn(network: string, ...containers: string[]): Promise<string[][]> {
    const inspected = JSON.parse(await this.podman('inspect', ...containers)) as Inspected[];
    return inspected.map(({ NetworkSettings }) => {
      const { IPAddress, GlobalIPv6Address } = NetworkSettings.Networks[network];
      return [IPAddress, GlobalIPv6Address].filter((address) => address !== '');
    });
  }

  /** Lines that podman prints; none where it fails. */
  private async attempt(...words: string[]): Promise<string[]> {
    const printed = await this.podman(...words).catch(() => '');
    return printed.split('\n').filter((line) => line !== '');
  }

  private containersConf(): string {
    const { plugins, configurations } = this.folders;
    mkdirSync(join(this.directory, 'tmp'));
    return `
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[network]
network_backend = "cni"
cni_plugin_dirs = ["${plugins}"]
network_config_dir = "${configurations}"
default_network = "${this.options.networks[0].name}"
[engine]
infra_image = "${IMAGE}"
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
# Locks in shared memory would be those of every podman on the machine.
lock_type = "file"
`;
  }
}

interface Inspected {
  NetworkSettings: { Networks: Record<string, { IPAddress: string; GlobalIPv6Address: string }> };
}
