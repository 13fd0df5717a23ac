/** The daemon as the API sees it: what each part answers, and views that are made of several. */

import type { Dataplane } from '../dataplane/worker/handle.js';
import type { ApiDaemon } from './api/routes.js';
import { type ClusterReader, watchResources } from './api/watch.js';
import type { Parts } from './assemble.js';
import { watchedNode } from './cluster/local-copy.js';
import { asPodwireError } from './errors.js';
import { namesOf, podsElsewhere, podsHere } from './names.js';
import type { DaemonOptions } from './options.js';
import { TUNNEL_NAME } from './plan.js';
import { NETWORKS } from './records.js';
import { watchedResource } from './services/resources-copy.js';
import type { EmbeddedStore } from './store/embedded.js';
import { VERSION } from './version.js';
import { dropsView, fdbView, type NamedPort, neighborsView, routesView, statsView } from './views.js';

export function apiDaemon(
  options: DaemonOptions,
  mtu: number,
  {
    networks,
    pods,
    podPorts,
    cni,
    impairments,
    ports,
    nodePort,
    publisher,
    store,
    cluster,
    resources,
    overlays,
    podRecords,
    dns,
  }: Parts,
  dataplane: Dataplane,
  state: { ready: boolean; failed: () => boolean },
): ApiDaemon {
  const begun = performance.now();
  const isOwn = options.store.kind === 'embedded';
  const [node, resource] = [watchedNode(isOwn), watchedResource(isOwn)];
  const watched: ClusterReader = (...entry) => node(...entry) ?? resource(...entry);
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
    podPorts,
    cni,
    impairments,
    resources,
    revision: async () => (await store.list(NETWORKS)).revision,
    status: () => ({
      node: options.name,
      ready: state.ready && !state.failed(),
      io: dataplane.io,
      ioReason: dataplane.ioReason,
      workers: options.workers,
      generation: publisher.generation,
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
      dns: dns?.status() ?? null,
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
    watch: (after, send) => watchResources(store, pods, watched, after, send),
    clusterStore: isOwn ? store : undefined,
  };
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
