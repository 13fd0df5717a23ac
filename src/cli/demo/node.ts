/** One node of the demo: a network namespace with a daemon and a probe in it, and the pods that it has. */
import { join } from 'node:path';
import type { AttachAnswer, AttachRequest, StatusAnswer } from '../../control/api/types.js';
import { namespacePath } from '../../linux/netns.js';
import { ProbeProcess } from './probe-process.js';
import { SwitchProcess } from './switch-process.js';

export interface Pod {
  readonly name: string;
  readonly netns: string;
  readonly probe: ProbeProcess;
  readonly node: DemoNode;
  /** Which of the network's subnets it is in. */
  readonly subnet: number;
  /** What `attach` answered; before that, nothing may be asked of the pod. */
  attached?: AttachAnswer;
}

export interface NodeOptions {
  readonly name: string;
  readonly netns: string;
  readonly podNames: readonly string[];
  /** Of the whole demo; the node has a folder in it. */
  readonly directory: string;
  readonly io: string;
  /** Further words for the daemon's command line. */
  readonly flags: readonly string[];
  /** Its address on the underlay, where there is one. */
  readonly underlay?: string;
}

export class DemoNode {
  readonly name: string;
  readonly netns: string;
  readonly underlay: string | undefined;
  readonly switch: SwitchProcess;
  readonly pods: Pod[] = [];
  #probe: ProbeProcess | undefined;
  #status: StatusAnswer | undefined;

  constructor(readonly options: NodeOptions) {
    const { name, netns, directory, io, flags, underlay } = options;
    this.name = name;
    this.netns = netns;
    this.underlay = underlay;
    this.switch = new SwitchProcess({ name, netns, io, flags, directory: join(directory, name) });
  }

  /** The probe in the node's own namespace. */
  get probe(): ProbeProcess {
    if (this.#probe === undefined) throw new Error(`node ${this.name} has no namespace yet`);
    return this.#probe;
  }

  /** The daemon's status when it last became ready. */
  get status(): StatusAnswer {
    if (this.#status === undefined) throw new Error(`the daemon of node ${this.name} was never ready`);
    return this.#status;
  }

  /** Once the namespaces are there. @param subnetOf which subnet a pod is in, by its number on this node. */
  startProbes(prefix: string, subnetOf: (index: number) => number): void {
    this.#probe = new ProbeProcess(this.name, this.netns);
    for (const [index, name] of this.options.podNames.entries()) {
      const netns = `${prefix}-${name}`;
      const probe = new ProbeProcess(name, netns);
      this.pods.push({ name, netns, probe, node: this, subnet: subnetOf(index) });
    }
  }

  async start(): Promise<StatusAnswer> {
    this.#status = await this.switch.start();
    return this.#status;
  }

  async attach(pod: Pod, request: Pick<AttachRequest, 'network' | 'ips' | 'labels'>): Promise<void> {
    const path = `/v1/pods/default/${pod.name}/attach`;
    const body = { netns: namespacePath(pod.netns), ...request };
    pod.attached = (await this.switch.api.send<AttachAnswer>('POST', path, body)).body;
  }

  /** Of podwire0. */
  address(family: 4 | 6): string {
    return addressOf(this.status.nodeIPs, family, `node ${this.name}`);
  }

  async stopProbes(): Promise<void> {
    await Promise.allSettled([this.#probe?.stop(), ...this.pods.map(({ probe }) => probe.stop())]);
  }
}

export function addressOf(addresses: readonly string[], family: 4 | 6, whose: string): string {
  const found = addresses.find((address) => address.includes(':') === (family === 6));
  if (found === undefined) throw new Error(`${whose} has no IPv${family} address`);
  return found;
}
