/**
 * A real daemon in a namespace of its own with many pods, each with a TAP in a namespace of its own: what `scale.*`
 * measures.
 *
 *     netns PREFIX-node: podwire daemon ── TAPs ──┬── eth0 10.9.0.3  netns PREFIX-1
 *                                                 ├── eth0 10.9.0.4  netns PREFIX-2
 *                                                 └── …
 *
 * Namespaces are cheap here: `ip -batch` makes 500 in 0.3 s. Pods are attached through the API, as a container runtime
 * would, some at a time.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiClient } from '../../src/cli/client.js';
import type { AttachAnswer, DetachAnswer } from '../../src/control/api/types.js';
import { type End, INTERFACE, type Path, pinAll } from '../node/path.js';
import { PROGRAM } from '../node/subjects.js';
import { end, run, startUntil } from '../shell.js';

/** Room for 1,020 pods. A larger one takes longer to be claimed, by 4 ms for each /24. */
const POD_CIDR = '10.9.0.0/22';

/** In no pod's use: the last addresses are given out last. */
export const NOBODY = '10.9.3.250';

/** Attached at a time. */
const PARALLEL = 4;

/** All the pods of a crowd are deleted within this; the kernel takes its time for namespaces (ms). */
const BATCH_TIMEOUT = 120_000;

let made = 0;

export interface CrowdPod extends End {
  readonly name: string;
  readonly gateway: string;
}

export interface Growing {
  readonly said?: (attached: number) => void;
  readonly signal?: AbortSignal;
}

export class Crowd {
  readonly pods: CrowdPod[] = [];
  private readonly namespaces: string[] = [];

  private constructor(
    private readonly prefix: string,
    private readonly folder: string,
    private readonly daemon: ChildProcess,
    readonly api: ApiClient,
  ) {}

  static async open(flags: readonly string[] = []): Promise<Crowd> {
    const prefix = `pwscale-${process.pid}-${made++}`;
    const folder = mkdtempSync(join(tmpdir(), 'podwire-scale-'));
    const node = `${prefix}-node`;
    const socket = join(folder, 'api.sock');
    const where = ['--data', join(folder, 'data'), '--socket', socket, '--pod-cidr', POD_CIDR];
    try {
      run('ip', ['netns', 'add', node]);
      const command = [process.execPath, PROGRAM, 'daemon', '--name', 'bench', ...where, ...flags];
      const daemon = await startUntil('ip', ['netns', 'exec', node, ...command], '"ready"');
      return new Crowd(prefix, folder, daemon, new ApiClient(socket));
    } catch (error) {
      remove([node], folder);
      throw error;
    }
  }

  /** The daemon's: `ip netns exec` becomes the program that it starts. */
  get pid(): number {
    return this.daemon.pid!;
  }

  /**
   * Attaches pods until there are `count`.
   * @param said how many there are, now and then. @throws what `signal` is aborted with
   */
  async grow(count: number, { said, signal }: Growing = {}): Promise<void> {
    const first = this.pods.length;
    const names = this.addNamespaces(count - first);
    const queue = names.map((namespace, index) => ({ namespace, name: `p${first + index}` }));
    const next = async (): Promise<void> => {
      for (let pod = queue.shift(); pod !== undefined; pod = queue.shift()) {
        signal?.throwIfAborted();
        this.pods.push(await this.attach(pod.name, pod.namespace));
        if (this.pods.length % 50 === 0) said?.(this.pods.length);
      }
    };
    // All of them end before an error is passed on: nothing may be attached to what is being closed.
    const ended = await Promise.allSettled(Array.from({ length: PARALLEL }, next));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  }

  /** Fresh namespaces, which go with the crowd. */
  addNamespaces(count: number): string[] {
    const first = this.namespaces.length;
    const names = Array.from({ length: Math.max(0, count) }, (_, index) => `${this.prefix}-${first + index}`);
    this.namespaces.push(...names);
    batch(names.map((name) => `netns add ${name}`));
    return names;
  }

  async attach(name: string, namespace: string): Promise<CrowdPod> {
    const { body } = await this.api.send<AttachAnswer>('POST', `/v1/pods/default/${name}/attach`, {
      netns: `/run/netns/${namespace}`,
      ifname: INTERFACE,
    });
    return { name, namespace, address: body.ips[0], mac: body.mac, gateway: body.gateway[0] };
  }

  async detach(name: string): Promise<void> {
    await this.api.send<DetachAnswer>('POST', `/v1/pods/default/${name}/detach`);
  }

  /** Between the first two pods. Frames go to an address that nobody has, at the second one's MAC address. */
  path(): Path {
    const [a, b] = this.pods;
    return {
      a,
      b,
      towardsB: { mac: b.mac, address: NOBODY },
      pin: (processors) => pinAll(this.pid, processors),
      close: () => this.close(),
    };
  }

  async close(): Promise<void> {
    await end(this.daemon);
    remove([`${this.prefix}-node`, ...this.namespaces], this.folder);
  }
}

function remove(namespaces: readonly string[], folder: string): void {
  // One that could not be made cannot be deleted: -force goes on to the next.
  batch(
    namespaces.map((name) => `netns del ${name}`),
    ['-force'],
  );
  rmSync(folder, { recursive: true, force: true });
}

function batch(commands: readonly string[], flags: readonly string[] = []): void {
  if (commands.length === 0) return;
  const folder = mkdtempSync(join(tmpdir(), 'podwire-scale-'));
  try {
    const file = join(folder, 'commands');
    writeFileSync(file, `${commands.join('\n')}\n`);
    run('ip', [...flags, '-batch', file], BATCH_TIMEOUT);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
