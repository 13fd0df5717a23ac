/**
 * The cluster of a state as one switch: every pod of every node at a port of its own, each node's subnets as a bridge domain of
 * the default network, and the node's port for everybody else. So a packet takes both halves of its way in one engine, and
 * meets the policies of the node that it leaves and of the one that it comes to.
 *
 * What it is not: the tunnel with its peers, rate limits and impairments. No packet waits, and MTUs are as large as can be, since a
 * capture may hold packets that the sender's interface was to cut.
 */
import { MAX_PORTS } from '../../dataplane/constants.js';
import type { Network } from '../api/types.js';
import { familyOf, holds } from '../cidr.js';
import { PodwireError } from '../errors.js';
import { isPortless } from '../layout.js';
import { NetworkBuilder } from '../live-network.js';
import { macOf } from '../mac.js';
import { DEFAULT_NETWORK } from '../model/network.js';
import type { Plan, PlannedDomain, PlannedNetwork, PlannedNode, PlannedPort } from '../plan.js';
import type { PolicyPod } from '../policies/types.js';
import { nodeFrontendAddresses } from '../services/node-frontends.js';
import type { ReplayState } from './types.js';

/** Of everybody who is no pod. */
export const NODE = 'node';
const MTU = 65_535;
/** Of the domain of pods whose node's subnets are not known: nobody sends to them by these. */
const NOBODYS_GATEWAYS = ['169.254.0.1', 'fe80::1'];

export interface ReplayPort {
  readonly id: number;
  /** `default/web`, of a pod with several interfaces `default/web/NETWORK`; `node`; or the interface of a raw network. */
  readonly name: string;
  readonly mac: string;
  readonly ips: readonly string[];
  readonly network: string;
  /** Index of the bridge domain within the network. */
  readonly domain: number;
  /** MAC address of the switch in its domain; undefined where that does not route. */
  readonly gatewayMac: string | undefined;
  /** The pod's key, NAMESPACE/NAME@NODE, and which of its interfaces it is. */
  readonly pod?: string;
  readonly interface?: number;
}

export interface ReplayLayout {
  readonly plan: Plan;
  readonly ports: readonly ReplayPort[];
  readonly node: ReplayPort;
}

/** @throws PodwireError REPLAY_STATE */
export function layoutOf(state: ReplayState): ReplayLayout {
  const networks = plannedNetworks(state);
  const home = networks.find(({ name }) => name === DEFAULT_NETWORK)!;
  const numbers = new Numbers();
  const mac = macOf(state.nodeIps);
  const node: PlannedNode = {
    id: numbers.next(),
    name: NODE,
    network: DEFAULT_NETWORK,
    domain: 0,
    mac,
    ips: state.nodeIps.filter((address) => home.domains[0]!.cidrs.some((cidr) => holds(cidr, address))),
    mtu: MTU,
    otherAddresses: state.nodeIps,
  };
  const withUplinks = networks.map((network): PlannedNetwork => {
    if (network.mode !== 'raw') return network;
    return { ...network, uplink: { port: numbers.next(), name: network.name, mac, mtu: MTU } };
  });
  const pods = [...state.pods].flatMap(([key, pod]) => podPorts(key, pod, withUplinks, numbers));
  const ports = [
    replayPort(node, withUplinks),
    ...withUplinks.flatMap(uplinkPort),
    ...pods.map(({ planned, pod, place }) => ({
      ...replayPort(planned, withUplinks),
      pod,
      interface: place,
    })),
  ];
  const plan: Plan = {
    generation: 1,
    networks: withUplinks,
    node,
    pods: pods.map(({ planned }) => planned),
    policed: true,
    egress: { clusterCidrs: state.clusterCidrs },
    services: {
      cidrs: state.serviceCidrs,
      nodeFrontends: nodeFrontendAddresses(state.serviceCidrs),
      externalAddresses: [],
      nodeAddresses: state.nodeIps,
    },
  };
  return { plan, ports, node: ports[0]! };
}

class Numbers {
  private used = 0;

  next(): number {
    if (this.used < MAX_PORTS) return this.used++;
    const text = `the state has more than the ${MAX_PORTS} interfaces that one switch can have`;
    throw new PodwireError('REPLAY_STATE', `${text}: leave out pods that the capture has no packet of`);
  }
}

interface PodPort {
  readonly planned: PlannedPort;
  readonly pod: string;
  readonly place: number;
}

function podPorts(
  key: string,
  { namespace, name, interfaces }: PolicyPod,
  networks: readonly PlannedNetwork[],
  numbers: Numbers,
): PodPort[] {
  return interfaces.flatMap(({ network, ips }, place) => {
    const planned = networks.find((one) => one.name === network);
    const domain = planned === undefined ? -1 : domainOf(planned, ips);
    if (domain < 0) return [];
    const port = place === 0 ? `${namespace}/${name}` : `${namespace}/${name}/${network}`;
    const base = { network, domain, mac: macOf(ips), ips, mtu: MTU };
    return { planned: { id: numbers.next(), name: port, ...base }, pod: key, place };
  });
}

/** -1: none of the network's. Without prefixes, as of a LAN, all are in its one domain. */
function domainOf({ domains }: PlannedNetwork, ips: readonly string[]): number {
  const found = domains.findIndex(({ cidrs }) =>
    ips.some((address) => cidrs.some((cidr) => holds(cidr, address))),
  );
  return found < 0 && domains.length === 1 ? 0 : found;
}

function replayPort(
  { id, name, mac, ips, network, domain }: PlannedPort,
  networks: readonly PlannedNetwork[],
) {
  const { domains } = networks.find((one) => one.name === network)!;
  const gateways = domains[domain]!.gateways;
  return {
    id,
    name,
    mac,
    ips,
    network,
    domain,
    gatewayMac: gateways.length === 0 ? undefined : macOf(gateways),
  };
}

function uplinkPort({ uplink, name: network }: PlannedNetwork): ReplayPort[] {
  if (uplink === undefined) return [];
  return [
    {
      id: uplink.port,
      name: uplink.name,
      mac: uplink.mac,
      ips: [],
      network,
      domain: 0,
      gatewayMac: undefined,
    },
  ];
}

/** Those whose pods have a port; the default network always. */
function plannedNetworks(state: ReplayState): PlannedNetwork[] {
  const builder = new NetworkBuilder();
  const others = state.networks.filter(
    ({ metadata, spec }) => metadata.name !== DEFAULT_NETWORK && !isPortless(spec),
  );
  const home = builder.build(DEFAULT_NETWORK, { mode: 'routed', cidrs: homeCidrs(state) }, false).planned;
  const ids = others.map(({ metadata, spec }) => builder.build(metadata.name, spec, false).planned);
  return [withStrays(home, state, 1 + highest([home, ...ids])), ...ids];
}

function highest(networks: readonly PlannedNetwork[]): number {
  return Math.max(-1, ...networks.flatMap(({ domains }) => domains.map(({ id }) => id)));
}

/** The subnets of all nodes, this one's first: each is a domain with its gateway. */
function homeCidrs({ networks, members, node }: ReplayState): string[] {
  const own = networks.find(({ metadata }) => metadata.name === DEFAULT_NETWORK);
  const others = members.filter(({ metadata }) => metadata.name !== node);
  return [...new Set([...cidrsOf(own), ...others.flatMap(({ spec }) => spec.podCIDRs)])];
}

function cidrsOf(network: Network | undefined): readonly string[] {
  return network?.spec.cidrs ?? [];
}

/** One more domain for pods of the default network that are in nobody's subnet, as in a state that names no nodes. */
function withStrays(home: PlannedNetwork, state: ReplayState, id: number): PlannedNetwork {
  const known = home.domains.flatMap(({ cidrs }) => cidrs);
  const strays = [...state.pods.values()]
    .flatMap(({ interfaces }) => interfaces)
    .filter(({ network }) => network === DEFAULT_NETWORK)
    .flatMap(({ ips }) => ips)
    .filter((address) => !known.some((cidr) => holds(cidr, address)));
  if (strays.length === 0 && home.domains.length > 0) return home;
  const domain: PlannedDomain = {
    id,
    cidrs: strays.map((address) => `${address}/${familyOf(address) === 4 ? 32 : 128}`),
    gateways: NOBODYS_GATEWAYS,
  };
  return { ...home, domains: [...home.domains, domain] };
}
