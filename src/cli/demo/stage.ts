/**
 * What the demo plays on:
 *
 *     ┌───────┐  ┌───────┐  ┌───────┐   namespaces podwire-demo-PID-NAME,
 *     │  web  │  │  db   │  │ cache │   a probe process in each
 *     └──┬────┘  └──┬────┘  └──┬────┘
 *        │ 10.80.0.0/24        │ 10.81.0.0/24       and an IPv6 subnet with each
 *     ┌──┴──────────┴──────────┴────┐
 *     │ podwire daemon              │   namespace podwire-demo-PID-node
 *     │ podwire0 10.244.0.2         │
 *     └─────────────────────────────┘
 *
 * Made step by step, each step a check of the demo; taken down as a whole, from whichever state it is in.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttachAnswer, Network, StatusAnswer } from '../../control/api/types.js';
import { namespacePath } from '../../linux/netns.js';
import { DEMO_PREFIX, deleteNamespaces, makeNamespaces } from './namespaces.js';
import { ProbeProcess } from './probe-process.js';
import { SwitchProcess } from './switch-process.js';

/** The pods' network: two subnets of each family. Pods of one are bridged, to the other they are routed. */
export const NETWORK = 'demo';
export const SUBNETS = [
  ['10.80.0.0/24', 'fd00:10:80::/64'],
  ['10.81.0.0/24', 'fd00:10:81::/64'],
] as const;

const POD_NAMES = ['web', 'db', 'cache', 'api', 'queue', 'mail', 'auth', 'search'];
export const MAX_PODS = POD_NAMES.length;

export interface Pod {
  readonly name: string;
  readonly netns: string;
  readonly probe: ProbeProcess;
  readonly subnet: 0 | 1;
  /** What `attach` answered; before that, nothing may be asked of the pod. */
  attached?: AttachAnswer;
}

export interface StageOptions {
  readonly pods: number;
  readonly io: string;
}

export class Stage {
  readonly prefix = `${DEMO_PREFIX}${process.pid}`;
  readonly directory = mkdtempSync(join(tmpdir(), `${DEMO_PREFIX}${process.pid}-`));
  readonly nodeNamespace = `${this.prefix}-node`;
  readonly podNames: readonly string[];
  readonly switch: SwitchProcess;
  readonly pods: Pod[] = [];
  #node: ProbeProcess | undefined;
  #status: StatusAnswer | undefined;
  #making: Promise<void> = Promise.resolve();

  constructor(options: StageOptions) {
    this.podNames = POD_NAMES.slice(0, options.pods);
    this.switch = new SwitchProcess({
      netns: this.nodeNamespace,
      directory: this.directory,
      io: options.io,
    });
  }

  get namespaces(): string[] {
    return [this.nodeNamespace, ...this.podNames.map((name) => `${this.prefix}-${name}`)];
  }

  /** The probe in the node's namespace. */
  get node(): ProbeProcess {
    if (this.#node === undefined) throw new Error('the node has no namespace yet');
    return this.#node;
  }

  /** The daemon's status when it last became ready. */
  get status(): StatusAnswer {
    if (this.#status === undefined) throw new Error('the switch was never ready');
    return this.#status;
  }

  makeNamespaces(): Promise<void> {
    this.#making = this.#makeNamespaces();
    return this.#making;
  }

  async #makeNamespaces(): Promise<void> {
    await makeNamespaces(this.namespaces);
    this.#node = new ProbeProcess('node', this.nodeNamespace);
    for (const [index, name] of this.podNames.entries()) {
      const netns = `${this.prefix}-${name}`;
      this.pods.push({ name, netns, probe: new ProbeProcess(name, netns), subnet: index % 3 === 2 ? 1 : 0 });
    }
  }

  async startSwitch(): Promise<void> {
    this.#status = await this.switch.start();
  }

  /** The network of the pods, as `podwire apply` would make it. */
  async makeNetwork(): Promise<Network> {
    const { body } = await this.switch.api.send<Network>('PUT', `/v1/networks/${NETWORK}`, {
      apiVersion: 'podwire.dev/v1',
      kind: 'Network',
      metadata: { name: NETWORK },
      spec: { mode: 'routed', cidrs: SUBNETS.flat() },
    });
    return body;
  }

  async attach(pod: Pod): Promise<AttachAnswer> {
    const path = `/v1/pods/default/${pod.name}/attach`;
    const ips = pod.subnet === 1 ? secondSubnetAddresses(this.pods.indexOf(pod)) : undefined;
    const netns = namespacePath(pod.netns);
    const request = { netns, network: NETWORK, ...(ips === undefined ? {} : { ips }) };
    const { body } = await this.switch.api.send<AttachAnswer>('POST', path, request);
    pod.attached = body;
    return body;
  }

  /** The address of a pod in a family. */
  address(pod: Pod, family: 4 | 6): string {
    return addressOf(pod.attached?.ips ?? [], family, pod.name);
  }

  gateway(pod: Pod, family: 4 | 6): string {
    return addressOf(pod.attached?.gateway ?? [], family, `${pod.name}'s gateway`);
  }

  nodeAddress(family: 4 | 6): string {
    return addressOf(this.status.nodeIPs, family, 'the node');
  }

  /** Ends everything and removes it, whatever exists of it, also while it is being made. Never rejects. */
  async takeDown(): Promise<void> {
    await this.#making.catch(() => undefined);
    await Promise.allSettled([...this.pods.map(({ probe }) => probe.stop()), this.#node?.stop()]);
    await this.switch.stop().catch(() => undefined);
    await deleteNamespaces(this.namespaces);
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Leaves the switch, the namespaces and the pods' interfaces as they are, and ends the probes. */
  async leave(): Promise<void> {
    this.switch.release();
    await Promise.allSettled([...this.pods.map(({ probe }) => probe.stop()), this.#node?.stop()]);
  }
}

/** Fixed addresses put a pod into the second subnet; without them it would get one of the first. */
function secondSubnetAddresses(index: number): string[] {
  const host = 10 + index;
  return [`10.81.0.${host}`, `fd00:10:81::${host}`];
}

function addressOf(addresses: readonly string[], family: 4 | 6, whose: string): string {
  const found = addresses.find((address) => address.includes(':') === (family === 6));
  if (found === undefined) throw new Error(`${whose} has no IPv${family} address`);
  return found;
}
