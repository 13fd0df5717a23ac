/**
 * The daemon: puts the parts together and takes them apart again. Signals are the command line's business.
 *
 * Start, each step undone where a later one fails: lock of the data directory, socket free, store, data plane,
 * cluster joined and subnets leased, connections of before read, stored networks, tunnel, podwire0, first snapshot in force, stored pods,
 * the node published, API. Stop: API, work under way, cluster, data plane, connections saved, store, lock. Interfaces stay; the next
 * daemon takes them up.
 */

import { accessSync, constants, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Dataplane } from '../dataplane/worker/handle.js';
import { lockDirectory } from '../linux/lock.js';
import { apiRoutes } from './api/routes.js';
import { ApiServer, refuseLiveSocket, tcpOptions } from './api/server.js';
import type { StatusAnswer } from './api/types.js';
import { assemble, type Parts } from './assemble.js';
import { joinCluster } from './cluster/join.js';
import { apiDaemon } from './daemon-api.js';
import { asPodwireError, PodwireError } from './errors.js';
import type { FlowKeeper } from './flows/flow-keeper.js';
import { type HostAddress, hostAddresses, tunnelMtu } from './host/addresses.js';
import { createLogger, type Logger } from './logger.js';
import { refuseHostAddresses } from './network-overlap.js';
import type { DaemonOptions } from './options.js';
import { TUNNEL_NAME } from './plan.js';
import { claimNode } from './records.js';
import { EmbeddedStore } from './store/embedded.js';
import { refuseStrandedPods } from './stranded-pods.js';
import { Undo } from './undo.js';
import { VERSION } from './version.js';
import { superviseWorker } from './worker-watch.js';

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
  const { io, workers, maxFlows } = options;
  adviseOnWorkers(workers, log);
  const dataplane = await Dataplane.start({ io, workers, maxFlows });
  let keeper: FlowKeeper | undefined;
  // After the data plane has ended: what it knows then is what the next daemon needs.
  undo.add(() => keeper?.end());
  const worker = superviseWorker(dataplane, log, undo);
  log.info({ io: dataplane.io, reason: dataplane.ioReason, workers }, 'packet I/O chosen');
  const cluster = await joinCluster({ options, node, local: store, dataplane, mtu, addresses, log }, undo);
  const parts = assemble(options, mtu, store, cluster, node, dataplane, log);
  parts.nodeAddresses.set(addresses);
  await parts.flowKeeper.load();
  const tunnel = await cluster.openTunnel(parts.ports);
  undo.add(() => parts.hostWay.stop());
  await bringUp(parts, dataplane, log);
  if (tunnel) await parts.flowKeeper.added(TUNNEL_NAME, tunnel.port);
  await parts.flowKeeper.finish();
  undo.add(() => parts.reconciler.stop());
  undo.add(() => parts.services.stop());
  undo.add(() => parts.healthChecks.stop());
  undo.add(() => parts.dns?.stop());
  undo.add(() => parts.dnsFeed.stop());
  await cluster.start(tunnel, {
    publish: () => parts.publisher.publish(),
    abandoned: (left, reason) => parts.reconciler.closeStranded(left, reason),
    resubnetted: (reason) => resubnet(parts, reason),
    nodes: (nodes) => {
      parts.clusterPods.nodes(nodes);
      parts.policyFeed.nodesChanged();
    },
    leaseChanged: () => parts.clusterPods.leaseChanged(),
  });
  undo.add(() => parts.clusterPods.stop());
  undo.add(() => parts.overlays.close());
  undo.add(() => parts.resources.close());
  undo.add(() => parts.policies.stop());
  // At once, as each waits a while for a store that does not answer, and ports of pods are closed meanwhile.
  await Promise.all([parts.clusterPods.start(), parts.overlays.start(), parts.resources.start()]);
  await openPolicies(parts);
  const state = { ready: true, failed: worker.hasFailed };
  const api = apiDaemon(options, mtu, parts, dataplane, state);
  const server = await ApiServer.listen({
    socket: options.socket,
    tcp: tcpOptions(options),
    routes: apiRoutes(api),
    log,
  });
  parts.nodePort.persist();
  keeper = parts.flowKeeper;
  keeper.start();
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
      await parts.flowKeeper.stop();
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

/** The node has other subnets than before: pods of the old ones are closed, the network and podwire0 made again. */
async function resubnet(
  { reconciler, networks, publisher, cluster, dnsFeed, dns, hostWay }: Parts,
  reason: string,
): Promise<void> {
  await reconciler.closeStranded(cluster.podCidrs, reason);
  await networks.moveDefault(() => publisher.publish());
  await reconciler.renewNode();
  await hostWay.sync();
  dnsFeed.networksChanged();
  await dns?.follow();
}

/** Ports of pods open when policies, namespaces and pods are known; the store tells it later, where they are not. */
async function openPolicies({ policies, policyFeed, resources, services, flowKeeper }: Parts): Promise<void> {
  policyFeed.refresh();
  if (!resources.isKnown) return policies.miss();
  // Where it fails it is told, and tried again.
  await services.settled().catch(() => {});
  await flowKeeper.settle();
  policies.open();
  await policies.settled();
}

async function bringUp(parts: Parts, dataplane: Dataplane, log: Logger): Promise<void> {
  const { networks, impairments, podRecords, nodePort, publisher, reconciler, dnsFeed, dns, hostWay } = parts;
  await networks.load();
  await impairments.load();
  await podRecords.load();
  await nodePort.open();
  dataplane.onPortDown = (id, reason) => {
    reconciler.portDown(id, reason).catch((error) => {
      log.error({ error: asPodwireError(error).message }, 'interface not made again');
    });
  };
  await hostWay.start();
  await publisher.publish();
  await nodePort.syncRoutes();
  await reconciler.restoreAll();
  reconciler.start();
  dnsFeed.networksChanged();
  await dns?.follow();
}
