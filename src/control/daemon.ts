/**
 * The daemon: puts the parts together and takes them apart again. Signals are the command line's business.
 *
 * Start, each step undone where a later one fails: lock of the data directory, socket free, store, data plane,
 * cluster joined and subnets leased, stored networks, tunnel, podwire0, first snapshot in force, stored pods,
 * the node published, API. Stop: API, work under way, cluster, data plane, store, lock. Interfaces stay; the next
 * daemon takes them up.
 */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Dataplane } from '../dataplane/worker/handle.js';
import { lockDirectory } from '../linux/lock.js';
import { type ApiDaemon, apiRoutes } from './api/routes.js';
import { ApiServer, refuseLiveSocket, tcpOptions } from './api/server.js';
import type { Impairment, Network, StatusAnswer } from './api/types.js';
import { watchResources } from './api/watch.js';
import { Attacher } from './attacher.js';
import { holds } from './cidr.js';
import type { Cluster } from './cluster/cluster.js';
import { type JoinedCluster, joinCluster } from './cluster/join.js';
import { watchedNode } from './cluster/local-copy.js';
import { Cni } from './cni.js';
import { TUNNEL_NAME } from './compile.js';
import { asPodwireError, PodwireError } from './errors.js';
import { type HostAddress, hostAddresses, tunnelMtu } from './host/addresses.js';
import { isGone } from './host/namespaces.js';
import { NODE_IFNAME } from './host/node-interface.js';
import { MOST_GSO, tunnelGsoSize } from './host/segment-limit.js';
import { Impairments } from './impairments.js';
import { KeyedLock } from './keyed-lock.js';
import { createLogger, type Logger } from './logger.js';
import { DEFAULT_NETWORK } from './model/network.js';
import { namesOf, podsElsewhere, podsHere } from './names.js';
import { refuseHostAddresses } from './network-overlap.js';
import { Networks } from './networks.js';
import { NodePort } from './node-port.js';
import type { DaemonOptions } from './options.js';
import { NO_OVERLAYS, Overlays } from './overlays.js';
import { Pods } from './pods.js';
import { Ports } from './ports.js';
import { Publisher } from './publisher.js';
import { Reconciler } from './reconcile.js';
import {
  claimNode,
  IMPAIRMENTS,
  NETWORKS,
  PODS,
  type PodRecord,
  podKeyOfPort,
  Records,
  readPodRecord,
} from './records.js';
import { EmbeddedStore } from './store/embedded.js';
import type { Store } from './store/store.js';
import { Undo } from './undo.js';
import { Uplink } from './uplinks.js';
import { VERSION } from './version.js';
import { dropsView, fdbView, type NamedPort, neighborsView, routesView, statsView } from './views.js';

export interface Daemon {
  status(): StatusAnswer;
  /** Ends everything in order; pods keep their interfaces. */
  stop(): Promise<void>;
  /** Resolves, never rejects, with the reason when the daemon cannot go on. */
  readonly failed: Promise<Error>;
}

const DEFAULT_MTU = 1500;
const STATE_FILE = 'state.mdb';

/** @throws PodwireError; then nothing is left behind */
export async function startDaemon(options: DaemonOptions, io: { log?: Logger } = {}): Promise<Daemon> {
  const log = io.log ?? createLogger();
  const undo = new Undo();
  try {
    return await start(options, log, undo);
  } catch (error) {
    await undo.run((failure) => log.error({ error: String(failure) }, 'undo failed'));
    throw asPodwireError(error);
  }
}

async function start(options: DaemonOptions, log: Logger, undo: Undo): Promise<Daemon> {
  log.info({ node: options.name, version: VERSION, pid: process.pid }, 'starting');
  openDataDirectory(options.data);
  const lock = lockDirectory(options.data);
  undo.add(() => lock.release());
  await refuseLiveSocket(options.socket);
  const addresses = await hostAddresses();
  refuseHostAddresses('--cluster-cidr', options.clusterCidrs, addresses);
  const mtu = chooseMtu(options, addresses);
  const store = EmbeddedStore.open(join(options.data, STATE_FILE));
  undo.add(() => store.close());
  const node = await claimNode(store, options.name);
  await refuseStrandedPods(store, options.podCidrs);
  const { workers } = options;
  adviseOnWorkers(workers, log);
  const dataplane = await Dataplane.start({ io: options.io, workers });
  const worker = superviseWorker(dataplane, log, undo);
  log.info({ io: dataplane.io, reason: dataplane.ioReason, workers }, 'packet I/O chosen');
  const cluster = await joinCluster({ options, node, local: store, dataplane, mtu, addresses, log }, undo);
  const parts = assemble(mtu, store, cluster, node, dataplane, log);
  const tunnel = await cluster.openTunnel(parts.ports);
  await bringUp(parts, dataplane, log);
  undo.add(() => parts.reconciler.stop());
  await cluster.start(tunnel, {
    publish: () => parts.publisher.publish(),
    abandoned: (left, reason) => parts.reconciler.closeStranded(left, reason),
    resubnetted: (reason) => resubnet(parts, reason),
  });
  undo.add(() => parts.overlays.close());
  await parts.overlays.start();
  const state = { ready: true, failed: worker.hasFailed };
  const api = apiDaemon(options, mtu, parts, dataplane, state);
  const server = await ApiServer.listen({
    socket: options.socket,
    tcp: tcpOptions(options),
    routes: apiRoutes(api),
    log,
  });
  parts.nodePort.persist();
  const { podCidrs } = cluster.cluster;
  log.info({ node: options.name, socket: options.socket, mtu, podCIDRs: podCidrs }, 'ready');
  return {
    status: api.status,
    failed: worker.failed,
    stop: async () => {
      log.info('stopping');
      state.ready = false;
      server.stopAccepting();
      parts.reconciler.stop();
      await parts.lock.idle();
      server.close();
      worker.expectExit();
      await undo.run((failure) => log.error({ error: String(failure) }, 'while stopping'));
      log.info('stopped');
    },
  };
}

function adviseOnWorkers(workers: number, log: Logger): void {
  const processors = availableParallelism();
  if (workers <= processors) return;
  log.warn(
    { workers, processors },
    'more forwarding threads than processors: they wait for one another; --workers should be lower',
  );
}

function openDataDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new PodwireError('DATA_DIR_FAILED', `--data ${path}: ${detail}`, '--data', error);
  }
}

/** @throws PodwireError INVALID where the underlay address is not this host's */
function chooseMtu({ mtu, underlay }: DaemonOptions, addresses: readonly HostAddress[]): number {
  const fitting = underlay === undefined ? DEFAULT_MTU : tunnelMtu(underlay, addresses);
  return mtu === 'auto' ? fitting : mtu;
}

/** Why nothing can be recorded at present. */
function writeTrouble(store: EmbeddedStore): string | undefined {
  try {
    store.checkWritable();
    return undefined;
  } catch (error) {
    return asPodwireError(error).message;
  }
}

/**
 * Subnets that are asked for and that attached pods are not in: found out before the old ones are given up.
 * @throws PodwireError STATE_MISMATCH
 */
async function refuseStrandedPods(store: Store, podCidrs: readonly string[] | undefined): Promise<void> {
  if (!podCidrs) return;
  for (const { key, value } of (await store.list(PODS)).entries) {
    const name = key.slice(PODS.length);
    const stray = readPodRecord(name, value)
      .attachments.filter(
        ({ network, netns, netnsId }) => network === DEFAULT_NETWORK && !isGone(netns, netnsId),
      )
      .flatMap(({ ips }) => ips)
      .find((address) => !podCidrs.some((cidr) => holds(cidr, address)));
    if (stray === undefined) continue;
    throw new PodwireError(
      'STATE_MISMATCH',
      `pod ${name} is attached as ${stray}, which is not in --pod-cidr ${podCidrs.join(',')}: start the daemon with the earlier --pod-cidr and detach the pod`,
    );
  }
}

/** The node has other subnets than before: pods of the old ones are closed, the network and podwire0 made again. */
async function resubnet({ reconciler, networks, publisher, cluster }: Parts, reason: string): Promise<void> {
  await reconciler.closeStranded(cluster.podCidrs, reason);
  await networks.moveDefault(() => publisher.publish());
  await reconciler.renewNode();
}

interface Worker {
  readonly failed: Promise<Error>;
  hasFailed(): boolean;
  expectExit(): void;
}

function superviseWorker(dataplane: Dataplane, log: Logger, undo: Undo): Worker {
  let failure: Error | undefined;
  let expected = false;
  undo.add(async () => {
    expected = true;
    if (!failure) await dataplane.stop();
  });
  const failed = new Promise<Error>((resolve) => {
    dataplane.onExit = (error) => {
      if (expected) return;
      failure = new PodwireError(
        'DATAPLANE_FAILED',
        `the data plane worker ended: ${error?.message ?? 'no reason'}`,
      );
      log.fatal({ error: failure.message }, 'data plane failed');
      resolve(failure);
    };
  });
  return {
    failed,
    hasFailed: () => failure !== undefined,
    expectExit: () => {
      expected = true;
    },
  };
}

interface Parts {
  readonly store: EmbeddedStore;
  readonly cluster: Cluster;
  readonly networks: Networks;
  readonly overlays: Overlays | typeof NO_OVERLAYS;
  readonly podRecords: Records<PodRecord>;
  readonly pods: Pods;
  readonly cni: Cni;
  readonly impairments: Impairments;
  readonly ports: Ports;
  readonly nodePort: NodePort;
  readonly publisher: Publisher;
  readonly reconciler: Reconciler;
  readonly lock: KeyedLock;
}

function assemble(
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
          changed: () => cluster.pathChanged(),
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
    },
  });
  const nodePort = new NodePort(ports, networks, { plan: cluster, mtu, gsoMaxSize, nonBlocking });
  const publisher = new Publisher(dataplane, (generation) => ({
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
  }));
  const publish = () => publisher.publish();
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
  const pods = new Pods({ records: podRecords, attacher, lock, log, nodeIps });
  const checkWritable = () => store.checkWritable();
  const cni = new Cni({ pods, networks, attacher, lock, checkHeld, checkWritable });
  const reconciler = new Reconciler({
    records: podRecords,
    networks,
    attacher,
    pods,
    ports,
    nodePort,
    lock,
    overlays,
    publish,
    log,
  });
  return {
    store,
    cluster,
    networks,
    overlays,
    podRecords,
    pods,
    cni,
    impairments,
    ports,
    nodePort,
    publisher,
    reconciler,
    lock,
  };
}

async function bringUp(parts: Parts, dataplane: Dataplane, log: Logger): Promise<void> {
  const { networks, impairments, podRecords, nodePort, publisher, reconciler } = parts;
  await networks.load();
  await impairments.load();
  await podRecords.load();
  await nodePort.open();
  dataplane.onPortDown = (id, reason) => {
    reconciler.portDown(id, reason).catch((error) => {
      log.error({ error: asPodwireError(error).message }, 'interface not made again');
    });
  };
  await publisher.publish();
  await nodePort.syncRoutes();
  await reconciler.restoreAll();
  reconciler.start();
}

function apiDaemon(
  options: DaemonOptions,
  mtu: number,
  {
    networks,
    pods,
    cni,
    impairments,
    ports,
    nodePort,
    publisher,
    store,
    cluster,
    overlays,
    podRecords,
  }: Parts,
  dataplane: Dataplane,
  state: { ready: boolean; failed: () => boolean },
): ApiDaemon {
  const begun = performance.now();
  const isOwn = options.store.kind === 'embedded';
  const everyPort = (): NamedPort[] => [
    ...(nodePort.planned ? [nodePort.planned] : []),
    ...(cluster.planned ? [{ id: cluster.planned.tunnel.port, name: TUNNEL_NAME }] : []),
    ...networks.uplinkPorts(),
    ...ports.planned(),
  ];
  return {
    networks,
    nodes: cluster.nodes,
    pods,
    cni,
    impairments,
    revision: async () => (await store.list(NETWORKS)).revision,
    status: () => ({
      node: options.name,
      ready: state.ready && !state.failed(),
      io: dataplane.io,
      ioReason: dataplane.ioReason,
      workers: options.workers,
      generation: publisher.current.generation,
      podCIDRs: [...cluster.podCidrs],
      clusterCIDRs: [...cluster.clusterCidrs],
      serviceCIDRs: [...cluster.serviceCidrs],
      underlay: options.underlay ?? null,
      peers: cluster.peersView(),
      store: cluster.storeStatus,
      pods: pods.attachedCount(),
      networks: networks.list().length,
      mtu,
      nodeIPs: nodePort.ips,
      version: VERSION,
      pid: process.pid,
      uptimeSeconds: Math.floor((performance.now() - begun) / 1000),
    }),
    routes: () => routesView(publisher.current, networks.planned()),
    fdb: async () => fdbView(publisher.current, await dataplane.learned()),
    neighbors: async () => neighborsView(publisher.current, await dataplane.learned()),
    names: (network) => {
      if (network !== undefined) networks.get(network);
      const elsewhere = networks
        .overlays()
        .flatMap(({ name }) => podsElsewhere(name, overlays.othersIn(name)));
      return { names: namesOf([...podsHere(podRecords.list()), ...elsewhere], network) };
    },
    stats: () => statsView(dataplane.counters, everyPort()),
    drops: () => dropsView(dataplane.counters, everyPort()),
    isHealthy: () => !state.failed(),
    degraded: () => cluster.degraded ?? writeTrouble(store),
    watch: (after, send) => watchResources(store, pods, watchedNode(isOwn), after, send),
    clusterStore: isOwn ? store : undefined,
  };
}
