/**
 * The node's own port, podwire0, and the node's routes through it.
 */

import { familyOf } from './cidr.js';
import { NODE_IFNAME, type NodeRoute, openNodeInterface, setNodeRoutes } from './host/node-interface.js';
import { setPersistent } from './host/tap.js';
import { nodeAddresses } from './layout.js';
import type { LiveNetwork } from './live-network.js';
import { macOf } from './mac.js';
import { DEFAULT_NETWORK } from './model/network.js';
import type { AddressPlan } from './network-overlap.js';
import type { Networks } from './networks.js';
import type { PlannedNode } from './plan.js';
import type { LivePort, Ports } from './ports.js';

export interface NodePortSettings {
  /** Its pod subnets may change. */
  readonly plan: AddressPlan;
  readonly mtu: number;
  /** Largest packet that the node's kernel leaves uncut, for an MTU. */
  readonly gsoMaxSize: (mtu: number) => number;
  /** What the data plane's driver needs. */
  readonly nonBlocking: boolean;
}

export class NodePort {
  private port: LivePort<PlannedNode> | undefined;

  constructor(
    private readonly ports: Ports,
    private readonly networks: Networks,
    private readonly settings: NodePortSettings,
  ) {}

  /** Addresses of podwire0. */
  get ips(): string[] {
    return nodeAddresses(this.settings.plan.podCidrs);
  }

  /** Makes podwire0, or takes it up, as a port. @throws PodwireError, LinuxError */
  async open(): Promise<void> {
    const { mtu, gsoMaxSize, nonBlocking, plan } = this.settings;
    const { podCidrs, underlay } = plan;
    const ips = this.ips;
    const mac = macOf(ips);
    const addresses = ips.map((address, index) => `${address}/${podCidrs[index].split('/')[1]}`);
    const tap = await openNodeInterface({ mac, mtu, gsoMaxSize: gsoMaxSize(mtu), addresses }, nonBlocking);
    this.port = await this.ports.add<PlannedNode>(
      {
        name: NODE_IFNAME,
        network: DEFAULT_NETWORK,
        domain: 0,
        mac,
        ips,
        mtu,
        otherAddresses: underlay === undefined ? [] : [underlay],
      },
      tap,
    );
  }

  /** undefined while it is being made. */
  get planned(): PlannedNode | undefined {
    return this.port?.planned;
  }

  /** From now on the interface outlives the daemon. */
  persist(): void {
    if (this.port) setPersistent(this.port.fd, true);
  }

  /** Whether this is the number of the node's port. */
  is(id: number): boolean {
    return this.port?.planned.id === id;
  }

  /** The interface goes when the port does. */
  async discard(): Promise<void> {
    if (this.port) setPersistent(this.port.fd, false);
  }

  /** Takes away the port whose interface has vanished. Publish before and after. */
  async drop(): Promise<void> {
    const lost = this.port;
    this.port = undefined;
    if (lost) await this.ports.remove(lost);
  }

  /** Makes the kernel's routes follow the networks, and lead to services. */
  async syncRoutes(): Promise<void> {
    const home = this.networks.get(DEFAULT_NETWORK);
    const { clusterCidrs, podCidrs, serviceCidrs } = this.settings.plan;
    const behind = [...clusterCidrs, ...serviceCidrs, ...this.networks.routedCidrs()];
    const cidrs = [...new Set(behind)].filter((cidr) => !podCidrs.includes(cidr));
    await setNodeRoutes(cidrs.flatMap((cidr) => this.routeTo(cidr, home) ?? []));
  }

  private routeTo(cidr: string, { layout }: LiveNetwork): NodeRoute | undefined {
    const gateway = layout[0].gateways.find((address) => familyOf(address) === familyOf(cidr));
    return gateway === undefined ? undefined : { cidr, gateway };
  }
}
