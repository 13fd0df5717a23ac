/**
 * What the demo plays on. With one node:
 *
 *     ┌───────┐  ┌───────┐  ┌───────┐   namespaces podwire-demo-PID-NAME,
 *     │  web  │  │  db   │  │ cache │   a probe process in each
 *     └──┬────┘  └──┬────┘  └──┬────┘
 *        │ 10.80.0.0/24        │ 10.81.0.0/24       and an IPv6 subnet with each
 *     ┌──┴──────────┴──────────┴────┐
 *     │ podwire daemon, podwire0    │   namespace podwire-demo-PID-node
 *     └─────────────────────────────┘
 *
 * With more, each has a subnet of the cluster, leased when it joins, and the tunnel between them (underlay.ts):
 *
 *     ┌───────┐  ┌───────┐                     ┌───────┐  ┌───────┐
 *     │  web  │  │  db   │                     │ cache │  │  api  │
 *     └──┬────┘  └──┬────┘                     └──┬────┘  └──┬────┘
 *     ┌──┴──────────┴─────┐  192.168.77.0/24   ┌──┴──────────┴─────┐
 *     │ node a, podwire0  ├── VXLAN over UDP ──┤ node b, podwire0  │
 *     └───────────────────┘                    └───────────────────┘
 *
 * Made step by step, each step a check of the demo; taken down as a whole, from whichever state it is in.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Network } from '../../control/api/types.js';
import { ClusterPlan } from './cluster-plan.js';
import { DEMO_PREFIX, deleteNamespaces, makeNamespaces } from './namespaces.js';
import { addressOf, DemoNode, type Pod } from './node.js';
import { SERVER_LABELS } from './services.js';
import type { SwitchProcess } from './switch-process.js';

export type { Pod } from './node.js';

/** The network of a single node's pods: two subnets of each family. Pods of one are bridged, to the other routed. */
export const NETWORK = 'demo';
export const SUBNETS = [
  ['10.80.0.0/24', 'fd00:10:80::/64'],
  ['10.81.0.0/24', 'fd00:10:81::/64'],
] as const;

const POD_NAMES = [
  ...['web', 'db', 'cache', 'api', 'queue', 'mail', 'auth', 'search'],
  ...['shop', 'cart', 'pay', 'user', 'feed', 'chat', 'jobs', 'logs'],
];
/** Of a node. */
export const MAX_PODS = 8;
export const MAX_NODES = 8;
/** Of all nodes: every one pings every other. */
export const MAX_ALL_PODS = POD_NAMES.length;

export interface StageOptions {
  readonly nodes: number;
  /** Of each node. */
  readonly pods: number;
  readonly io: string;
  /** The cluster's store; an etcd is started for it. */
  readonly store: 'embedded' | 'etcd';
}

export class Stage {
  readonly containerName = 'box';
  readonly prefix = `${DEMO_PREFIX}${process.pid}`;
  readonly directory = mkdtempSync(join(tmpdir(), `${DEMO_PREFIX}${process.pid}-`));
  readonly nodes: readonly DemoNode[];
  /** What nodes share; undefined where there is one. */
  readonly cluster: ClusterPlan | undefined;
  #making: Promise<void> = Promise.resolve();

  constructor(options: StageOptions) {
    const { nodes, pods, io } = options;
    const { prefix, directory } = this;
    this.cluster = nodes > 1 ? new ClusterPlan({ ...options, prefix, directory }) : undefined;
    this.nodes = Array.from({ length: nodes }, (_, index) => {
      const name = nodes > 1 ? nodeName(index) : 'node';
      return new DemoNode({
        ...{ name, netns: `${prefix}-${name}`, directory, io },
        podNames: POD_NAMES.slice(index * pods, (index + 1) * pods),
        ...(this.cluster?.node(index) ?? { flags: [] }),
      });
    });
  }

  get pods(): Pod[] {
    return this.nodes.flatMap(({ pods }) => pods);
  }

  get podNames(): string[] {
    return this.nodes.flatMap(({ options }) => options.podNames);
  }

  /** The one whose figures stand for all. */
  get first(): DemoNode {
    return this.nodes[0]!;
  }

  get switches(): SwitchProcess[] {
    return this.nodes.map((node) => node.switch);
  }

  /** A namespace that no pod of the stage is in: a check attaches it as a runtime would. */
  get container(): string {
    return `${this.prefix}-${this.containerName}`;
  }

  get namespaces(): string[] {
    return [
      ...this.nodes.map(({ netns }) => netns),
      ...(this.cluster?.namespaces ?? []),
      ...this.podNames.map((name) => `${this.prefix}-${name}`),
      this.container,
    ];
  }

  makeNamespaces(): Promise<void> {
    this.#making = this.#makeNamespaces();
    return this.#making;
  }

  async #makeNamespaces(): Promise<void> {
    await makeNamespaces(this.namespaces);
    for (const node of this.nodes) {
      node.startProbes(this.prefix, (index) => (this.cluster === undefined && index % 3 === 2 ? 1 : 0));
    }
  }

  /** The network of a single node's pods, as `podwire apply` would make it. */
  async makeNetwork(): Promise<Network> {
    const { body } = await this.first.switch.api.send<Network>('PUT', `/v1/networks/${NETWORK}`, {
      apiVersion: 'podwire.dev/v1',
      kind: 'Network',
      metadata: { name: NETWORK },
      spec: { mode: 'routed', cidrs: SUBNETS.flat() },
    });
    return body;
  }

  async attach(pod: Pod): Promise<void> {
    const index = this.pods.indexOf(pod);
    const ips = pod.subnet === 1 ? { ips: secondSubnetAddresses(index) } : {};
    const labels = index === 0 ? {} : { labels: SERVER_LABELS };
    await pod.node.attach(pod, this.cluster === undefined ? { network: NETWORK, ...ips } : labels);
  }

  /** The address of a pod in a family. */
  address(pod: Pod, family: 4 | 6): string {
    return addressOf(pod.attached?.ips ?? [], family, pod.name);
  }

  gateway(pod: Pod, family: 4 | 6): string {
    return addressOf(pod.attached?.gateway ?? [], family, `${pod.name}'s gateway`);
  }

  /** Ends everything and removes it, whatever exists of it, also while it is being made. Never rejects. */
  async takeDown(): Promise<void> {
    await this.#making.catch(() => undefined);
    await Promise.allSettled(this.nodes.map((node) => node.stopProbes()));
    await Promise.allSettled(this.switches.map((daemon) => daemon.stop()));
    await this.cluster?.stop();
    await deleteNamespaces(this.namespaces);
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Leaves the daemons, the namespaces and the pods' interfaces as they are, and ends the probes. */
  async leave(): Promise<void> {
    for (const daemon of this.switches) daemon.release();
    this.cluster?.release();
    await Promise.allSettled(this.nodes.map((node) => node.stopProbes()));
  }
}

/** a, b, c … */
function nodeName(index: number): string {
  return String.fromCharCode('a'.charCodeAt(0) + index);
}

/** Fixed addresses put a pod into the second subnet; without them it would get one of the first. */
function secondSubnetAddresses(index: number): string[] {
  const host = 10 + index;
  return [`10.81.0.${host}`, `fd00:10:81::${host}`];
}
