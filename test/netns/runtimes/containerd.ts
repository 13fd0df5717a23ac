/**
 * containerd on a host that is a network namespace, with storage, state, sockets and control groups of its own, asked
 * through its CRI service as a kubelet does. Sandboxes are pods: a container that does nothing has the namespaces,
 * the others join it.
 *
 * The shims that it starts are not its children. They and what they run are found by their control group and by the
 * folder in their command line.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../daemon-support.js';
import { CniFolders, type CniNetwork } from './cni-folders.js';
import { CriClient, type SandboxConfig } from './cri.js';
import { IMAGE, writeImage } from './image.js';
import { endProcesses, removeCgroups, removeCniResults, removeNetns, unmountBelow } from './leftovers.js';

const run = promisify(execFile);
/** It starts in a quarter of a second; many times that where the machine is busy. */
const START_DEADLINE_MS = 40_000;
const EXEC_DEADLINE_S = 30;

let made = 0;

export interface ContainerdOptions {
  /** Path of the network namespace that is the host. */
  readonly netns: string;
  /** The daemon's socket. */
  readonly socket: string;
  readonly network: CniNetwork;
}

export interface Sandbox {
  readonly id: string;
  /** IPv4 first. */
  readonly ips: readonly string[];
  /** Path of its network namespace. */
  readonly netns: string;
  readonly config: SandboxConfig;
}

export class ContainerdHost {
  readonly directory = mkdtempSync(join(tmpdir(), 'podwire-containerd-'));
  readonly folders: CniFolders;
  private readonly cgroup = `podwire-containerd-${process.pid}-${made++}`;
  private readonly socket = join(this.directory, 'containerd.sock');
  private readonly logFile = join(this.directory, 'containerd.log');
  private readonly sandboxes: Sandbox[] = [];
  private child: ChildProcess | undefined;
  private cri: CriClient | undefined;

  private constructor(private readonly options: ContainerdOptions) {
    this.folders = new CniFolders(this.directory, options.socket, [options.network]);
    writeFileSync(join(this.directory, 'config.toml'), this.configuration());
  }

  static async start(options: ContainerdOptions): Promise<ContainerdHost> {
    const host = new ContainerdHost(options);
    try {
      await host.begin();
    } catch (error) {
      await host.cleanup();
      throw error;
    }
    return host;
  }

  /** What containerd has written, for messages of failed tests. */
  get log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }

  /** @param ports published TCP ports: the host's, then the pod's */
  async runSandbox(
    name: string,
    ports: Readonly<Record<number, number>> = {},
    annotations: Readonly<Record<string, string>> = {},
  ): Promise<Sandbox> {
    const config: SandboxConfig = {
      metadata: { name, uid: `uid-of-${name}`, namespace: 'default' },
      hostname: name,
      log_directory: this.directory,
      port_mappings: Object.entries(ports).map(([host, container]) => ({
        protocol: 'TCP',
        host_port: Number(host),
        container_port: container,
      })),
      annotations,
      linux: { cgroup_parent: `/${this.cgroup}` },
    };
    const { pod_sandbox_id: id } = await this.client.call('RunPodSandbox', { config });
    const { status, info } = await this.client.call('PodSandboxStatus', {
      pod_sandbox_id: id,
      verbose: true,
    });
    const { ip, additional_ips } = status.network;
    const ips = [ip, ...additional_ips.map((more) => more.ip)];
    const sandbox = { id, ips, netns: netnsIn(info.info), config };
    this.sandboxes.push(sandbox);
    return sandbox;
  }

  /** A container of the pod that runs `command`. Answers its ID. */
  async runContainer(sandbox: Sandbox, name: string, ...command: string[]): Promise<string> {
    const config = { metadata: { name }, image: { image: IMAGE }, command, linux: { resources: {} } };
    const request = { pod_sandbox_id: sandbox.id, config, sandbox_config: sandbox.config };
    const { container_id } = await this.client.call('CreateContainer', request);
    await this.client.call('StartContainer', { container_id });
    return container_id;
  }

  /** Answers what the command printed. @throws with what it said where it fails */
  async exec(container: string, ...cmd: string[]): Promise<string> {
    const request = { container_id: container, cmd, timeout: EXEC_DEADLINE_S };
    const { stdout, stderr, exit_code } = await this.client.call('ExecSync', request);
    if (exit_code !== 0) throw new Error(`${cmd.join(' ')}: ${stdout}${stderr}`);
    return stdout.toString().trim();
  }

  async stop({ id }: Sandbox): Promise<void> {
    await this.client.call('StopPodSandbox', { pod_sandbox_id: id });
  }

  async remove({ id }: Sandbox): Promise<void> {
    await this.client.call('RemovePodSandbox', { pod_sandbox_id: id });
  }

  /** IDs of the sandboxes that containerd knows. */
  async list(): Promise<string[]> {
    return (await this.client.call('ListPodSandbox', {})).items.map(({ id }) => id);
  }

  /** Removes every sandbox, with its containers. Answers their IDs. */
  async removeAll(): Promise<readonly string[]> {
    const ids = await this.list().catch(() => []);
    for (const pod_sandbox_id of ids) {
      await this.client.call('StopPodSandbox', { pod_sandbox_id }).catch(() => {});
      await this.client.call('RemovePodSandbox', { pod_sandbox_id }).catch(() => {});
    }
    return ids;
  }

  /** Nothing of this host remains, whatever its pods were doing. Needs the daemon, for an orderly DEL. */
  async cleanup(): Promise<void> {
    const left = await this.removeAll();
    this.cri?.close();
    await this.end();
    await endProcesses(this.directory, this.cgroup);
    for (const { netns } of this.sandboxes) removeNetns(netns);
    removeCniResults([...left, ...this.sandboxes.map(({ id }) => id)]);
    unmountBelow(this.directory);
    await removeCgroups(this.cgroup);
    rmSync(this.directory, { recursive: true, force: true });
  }

  private get client(): CriClient {
    if (this.cri === undefined) throw new Error('containerd has not been started');
    return this.cri;
  }

  private async begin(): Promise<void> {
    const words = [`--net=${this.options.netns}`, 'containerd', '-c', join(this.directory, 'config.toml')];
    this.child = spawn('nsenter', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child.stderr?.pipe(createWriteStream(this.logFile));
    const ctr = (...args: string[]) =>
      run('ctr', ['--address', this.socket, '--namespace', 'k8s.io', ...args]);
    const answers = () =>
      ctr('version').then(
        () => true,
        () => false,
      );
    if (!(await until(answers, START_DEADLINE_MS))) throw new Error(`containerd did not start:\n${this.log}`);
    await ctr('images', 'import', '--snapshotter', 'native', writeImage(this.directory));
    this.cri = new CriClient(this.socket);
  }

  private async end(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  }

  private configuration(): string {
    const { plugins, configurations } = this.folders;
    const at = (name: string) => join(this.directory, name);
    return `
version = 2
root = "${at('root')}"
state = "${at('state')}"
[grpc]
  address = "${this.socket}"
[ttrpc]
  address = "${this.socket}.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "${at('opt')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGE}"
  disable_tcp_service = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${plugins}"
    conf_dir = "${configurations}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
`;
  }
}

/** The path of the network namespace in what containerd tells of a sandbox beyond the protocol. */
function netnsIn(info: string): string {
  const { runtimeSpec } = JSON.parse(info) as {
    runtimeSpec: { linux: { namespaces: { type: string; path?: string }[] } };
  };
  return runtimeSpec.linux.namespaces.find(({ type }) => type === 'network')?.path ?? '';
}
