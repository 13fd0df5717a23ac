/**
 * The parts of a daemon, made and joined with one another. Nothing runs yet: daemon.ts starts them in order. Some parts need
 * one another, so they get functions that are called later.
 */

import { join } from 'node:path';
import type { Dataplane } from '../dataplane/worker/handle.js';
import type { Impairment, Network } from './api/types.js';
import { Attacher } from './attacher.js';
import type { Cluster } from './cluster/cluster.js';
import type { JoinedCluster } from './cluster/join.js';
import { Cni } from './cni.js';
import { domainName } from './compile.js';
import { apartNetworks } from './compile-apart.js';
import { DnsRecords } from './dns/records.js';
import { FLOW_FILE, FlowKeeper } from './flows/flow-keeper.js';
import { hostAddresses } from './host/addresses.js';
import { NODE_IFNAME } from './host/node-interface.js';
import { MOST_GSO, tunnelGsoSize } from './host/segment-limit.js';
import { HostWay } from './host-way.js';
import { Impairments } from './impairments.js';
import { KeyedLock } from './keyed-lock.js';
import { isRouted } from './layout.js';
import type { Logger } from './logger.js';
import { DEFAULT_NETWORK } from './model/network.js';
import { podsElsewhere, podsHere } from './names.js';
import { Networks } from './networks.js';
import { NodeAddresses } from './node-addresses.js';
import { NodeDns } from './node-dns.js';
import { NodePort } from './node-port.js';
import type { DaemonOptions } from './options.js';
import { NO_OVERLAYS, Overlays } from './overlays.js';
import type { Plan } from './plan.js';
import { podDns } from './pod-dns.js';
import { PodPorts } from './pod-ports.js';
import { Pods } from './pods.js';
import { LivePolicies } from './policies/live-policies.js';
import { PolicyFeed } from './policies/policy-feed.js';
import { Ports } from './ports.js';
import { PublishedPorts } from './published-ports.js';
import { Publisher } from './publisher.js';
import { Reconciler } from './reconcile.js';
import {
  IMPAIRMENTS,
  NETWORKS,
  PODS,
  type PodRecord,
  podKeyOfPort,
  Records,
  readPodRecord,
} from './records.js';
import { ClusterPods } from './services/cluster-pods.js';
import { DnsFeed } from './services/dns-feed.js';
import { HealthChecks } from './services/health-checks.js';
import { LiveServices } from './services/live-services.js';
import { nodeFrontendAddresses } from './services/node-frontends.js';
import { Resources } from './services/resources.js';
import type { EmbeddedStore } from './store/embedded.js';
import { Uplink } from './uplinks.js';

export interface Parts {
  readonly store: EmbeddedStore;
  readonly cluster: Cluster;
  readonly networks: Networks;
  readonly overlays: Overlays | typeof NO_OVERLAYS;
  readonly podRecords: Records<PodRecord>;
  readonly pods: Pods;
  readonly podPorts: PodPorts;
  readonly cni: Cni;
  readonly impairments: Impairments;
  readonly ports: Ports;
  readonly nodeAddresses: NodeAddresses;
  readonly nodePort: NodePort;
  readonly publisher: Publisher;
  readonly services: LiveServices;
  readonly policies: LivePolicies;
  readonly policyFeed: PolicyFeed;
  readonly healthChecks: HealthChecks;
  readonly hostWay: HostWay;
  readonly dnsFeed: DnsFeed;
  /** Undefined where names are not served. */
  readonly dns: NodeDns | undefined;
  readonly resources: Resources;
  readonly clusterPods: ClusterPods;
  readonly flowKeeper: FlowKeeper;
  readonly reconciler: Reconciler;
  readonly lock: KeyedLock;
}

export function assemble(
  options: Pick<
    DaemonOptions,
    'data' | 'dns' | 'clusterDomain' | 'resolvConf' | 'zone' | 'nonMasqueradeCidrs'
  >,
  mtu: number,
  store: EmbeddedStore,
  { cluster, store: clusterStore }: JoinedCluster,
  self: { readonly name: string; readonly uid: string },
  dataplane: Dataplane,
  log: Logger,
): Parts {
  const lock = new KeyedLock();
  const ports = new Ports(dataplane);
  const podRecords = new Records<PodRecord>(store, PODS, readPodRecord);
  const nonBlocking = dataplane.io === 'poll';
  const gsoMaxSize = (size: number): number =>
    cluster.underlay === undefined ? MOST_GSO : tunnelGsoSize(size);
  const overlays =
    cluster.underlay === undefined
      ? NO_OVERLAYS
      : new Overlays({
          store: clusterStore,
          self,
          routedVni: cluster.vni,
          networks: () => networks,
          nodes: () => cluster.nodes.list().map(({ metadata }) => metadata.name),
          changed: () => {
            cluster.pathChanged();
            dnsFeed.networksChanged();
            policyFeed.overlaysChanged();
          },
          log,
        });
  const networks: Networks = new Networks({
    records: new Records<Network>(store, NETWORKS),
    plan: cluster,
    lock,
    log,
    hostAddresses,
    overlays,
    uplinkFor: ({ mode, parent, vlan }) =>
      mode === 'raw' && parent !== undefined ? new Uplink({ ports, nonBlocking }, parent, vlan) : undefined,
    changed: async () => {
      await publish();
      await lock.run(NODE_IFNAME, () => nodePort.syncRoutes());
      await hostWay.sync();
      dnsFeed.networksChanged();
      void dns?.follow();
    },
  });
  const nodePort = new NodePort(ports, networks, { plan: cluster, mtu, gsoMaxSize, nonBlocking });
  const nodeAddresses = new NodeAddresses();
  const hostWay = new HostWay({
    plan: cluster,
    nonMasqueradeCidrs: options.nonMasqueradeCidrs,
    networks: () => networks,
    addressesChanged: async (addresses) => {
      if (nodeAddresses.set(addresses)) await publish();
    },
    opened: () => publish(),
    log,
  });
  const plan = (generation: number): Plan => ({
    generation,
    networks: networks
      .planned()
      .map((network) =>
        network.vni === undefined ? network : { ...network, members: overlays.membersOf(network.name) },
      ),
    node: nodePort.planned,
    pods: ports.planned(),
    impairments: impairments.planned(),
    ...(cluster.planned && { cluster: cluster.planned }),
    ...(hostWay.isOpen && { egress: { clusterCidrs: cluster.clusterCidrs } }),
    policed: true,
    apart: {
      clusterCidrs: cluster.clusterCidrs,
      notes: policies.keepApart(apartNetworks(networks.planned())),
    },
    services: {
      cidrs: cluster.serviceCidrs,
      nodeFrontends: nodeFrontendAddresses(cluster.serviceCidrs),
      externalAddresses: services.externalAddresses,
      nodeAddresses: nodeAddresses.list,
    },
  });
  const services: LiveServices = new LiveServices({
    here: { node: self.name, ...(options.zone !== undefined && { zone: options.zone }) },
    serviceCidrs: () => cluster.serviceCidrs,
    expose: (changes) => hostWay.expose(changes),
    exposed: () => hostWay.settled(),
    publish: () => publisher.publishServices(),
    rerouted: () => publish(),
    planned: (key) => {
      dnsFeed.serviceChanged(key);
      healthChecks.serviceChanged(key);
    },
    log,
  });
  const healthChecks: HealthChecks = new HealthChecks({
    services,
    here: { node: self.name },
    isWayOpen: () => hostWay.rules.problem === undefined,
    log,
  });
  const records = new DnsRecords(options.clusterDomain);
  const dnsFeed: DnsFeed = new DnsFeed({
    records,
    services,
    pods: () => [
      ...podsHere(podRecords.list()),
      ...networks.overlays().flatMap(({ name }) => podsElsewhere(name, overlays.othersIn(name))),
    ],
    ranges: () => [...cluster.clusterCidrs, ...cluster.serviceCidrs, ...networks.routedCidrs()],
  });
  const dns =
    options.dns === 'off'
      ? undefined
      : new NodeDns({
          records,
          resolvConf: options.resolvConf,
          addresses: () => nodePort.ips,
          gateways: () => networks.gateways(),
          serviceCidrs: () => cluster.serviceCidrs,
          services,
          log,
        });
  const policies: LivePolicies = new LivePolicies({
    publish: () => publisher.publishPolicies(),
    noteGiven: (note) => dataplane.denials.restart(note),
    log,
  });
  const policyFeed = new PolicyFeed({
    policies,
    node: self.name,
    records: () => podRecords.list(),
    portOf: ({ port }) => ports.get(port)?.planned.id,
    nodes: () => cluster.nodes.list(),
    podCidrs: () => cluster.podCidrs,
    addresses: () => [
      ...new Set([
        ...nodePort.ips,
        ...(cluster.underlay === undefined ? [] : [cluster.underlay]),
        ...nodeAddresses.list,
      ]),
    ],
    clusterCidrs: () => cluster.clusterCidrs,
    overlays: () => networks.overlays(),
    members: (network) => overlays.othersIn(network),
  });
  const publisher = new Publisher(dataplane, plan, services, policies);
  const publish = () => publisher.publish();
  const flowKeeper = new FlowKeeper({
    dataplane,
    path: join(options.data, FLOW_FILE),
    snapshot: () => publisher.current,
    domainOf: (name) =>
      networks
        .planned()
        .flatMap((network) =>
          network.domains.map(({ id }, index) => ({ id, name: domainName(network.name, index) })),
        )
        .find((domain) => domain.name === name)?.id,
    log,
  });
  ports.onAdded = (name, id) => flowKeeper.added(name, id);
  const impairments: Impairments = new Impairments({
    records: new Records<Impairment>(store, IMPAIRMENTS),
    lock,
    log,
    isUp: (pod) => ports.planned().some(({ name }) => podKeyOfPort(name) === pod),
    publish,
  });
  const checkHeld = (network: string): void => {
    if (network === DEFAULT_NETWORK) cluster.checkHeld();
  };
  const nodeIps = (): readonly string[] =>
    cluster.underlay === undefined ? nodePort.ips : [cluster.underlay];
  const attacher = new Attacher({
    nodeIps,
    networks,
    ports,
    publish,
    log,
    mtu,
    gsoMaxSize,
    nonBlocking,
    overlays,
    checkHeld,
  });
  const published = new PublishedPorts({
    records: podRecords,
    services,
    generation: () => publisher.generation,
    isUp: (attachment) => attacher.isUp(attachment),
    hostAddresses,
    lock,
    log,
  });
  const pods = new Pods({
    records: podRecords,
    attacher,
    published,
    policies: policyFeed,
    networks,
    lock,
    log,
    nodeIps,
    dns: (namespace, gateways, pod) => {
      const answering = dns === undefined ? [] : gateways;
      return podDns(
        { domain: options.clusterDomain, resolvConf: options.resolvConf },
        namespace,
        answering,
        pod?.spec,
      );
    },
  });
  const podPorts = new PodPorts({ records: podRecords, published, networks, lock, log });
  const clusterPods = new ClusterPods({
    own: {
      node: self.name,
      records: () => podRecords.list(),
      isUp: (attachment) => attacher.isUp(attachment),
      networkOf: (name) => {
        const network = networks.find(name);
        return network && { mode: network.spec.mode, isRouted: isRouted(network.spec) };
      },
      nodeIps,
    },
    published:
      cluster.underlay === undefined ? undefined : { store: clusterStore, lease: () => cluster.lease, log },
    services,
    others: policyFeed,
    isNodeLive: (name) => cluster.isNodeLive(name),
  });
  podRecords.onChange = () => {
    clusterPods.refresh();
    dnsFeed.networksChanged();
    policyFeed.podsChanged();
  };
  publisher.onSnapshot = () => {
    clusterPods.refresh();
    policyFeed.snapshotChanged();
  };
  const checkWritable = () => store.checkWritable();
  const cni = new Cni({ pods, networks, attacher, lock, checkHeld, checkWritable });
  const reconciler = new Reconciler({
    records: podRecords,
    networks,
    attacher,
    pods,
    published,
    ports,
    nodePort,
    lock,
    overlays,
    publish,
    log,
  });
  const resources = new Resources({
    store: clusterStore,
    local: clusterStore === store ? undefined : store,
    node: self.uid,
    serviceCidrs: cluster.serviceCidrs,
    lock,
    log,
    settled: async () => {
      await Promise.all([services.settled(), policies.settled()]);
    },
    known: () => {
      // Else daemon.ts does it, when all others are known too.
      if (policies.problem === undefined) return;
      policies.known();
      services.settled().then(
        () => flowKeeper.settle(),
        () => {},
      );
    },
    computedSlices: () => services.computedSlices,
    pods: {
      list: (namespace) => podRecords.list().flatMap(([key]) => (isIn(namespace, key) ? key : [])),
      delete: (key) => pods.delete(...(key.split('/') as [string, string])),
    },
  });
  resources.listen(services);
  resources.listen({
    setPolicy: (policy) => policies.setPolicy(policy),
    removePolicy: (kind, key) => policies.removePolicy(kind, key),
    setNamespace: ({ metadata }) => policies.setNamespace(metadata.name, metadata.labels ?? {}),
    removeNamespace: (name) => policies.removeNamespace(name),
  });
  resources.listen({
    setNamespace: ({ metadata }) => dnsFeed.setNamespace(metadata.name),
    removeNamespace: (name) => dnsFeed.removeNamespace(name),
  });
  return {
    store,
    cluster,
    networks,
    overlays,
    podRecords,
    pods,
    podPorts,
    cni,
    impairments,
    ports,
    nodeAddresses,
    hostWay,
    nodePort,
    publisher,
    services,
    policies,
    policyFeed,
    healthChecks,
    dnsFeed,
    dns,
    resources,
    clusterPods,
    flowKeeper,
    reconciler,
    lock,
  };
}

function isIn(namespace: string | undefined, key: string): boolean {
  return namespace === undefined || key.startsWith(`${namespace}/`);
}
