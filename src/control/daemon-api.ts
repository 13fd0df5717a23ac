/** The daemon as the API sees it: what each part answers, and views that are made of several. */

import type { Dataplane } from '../dataplane/worker/handle.js';
import type { ApiDaemon } from './api/routes.js';
import { type ClusterReader, watchResources } from './api/watch.js';
import type { Parts } from './assemble.js';
import { watchedNode } from './cluster/local-copy.js';
import { asPodwireError, PodwireError } from './errors.js';
import { explainWorld } from './explain-world.js';
import { flowPolicy } from './flows/flow-policy.js';
import { Flows } from './flows/flows.js';
import { FrontendNames } from './flows/frontend-names.js';
import { type NamedPod, namesOf, podsElsewhere, podsHere } from './names.js';
import type { DaemonOptions } from './options.js';
import { TUNNEL_NAME } from './plan.js';
import { PolicyDrops } from './policies/drops.js';
import { explain } from './policies/explain.js';
import { podsByAddress } from './policies/explain-ends.js';
import type { ExplainWorld } from './policies/explain-world.js';
import type { PolicyPod } from './policies/types.js';
import { NETWORKS } from './records.js';
import { environmentOf } from './services/environment.js';
import { watchedResource } from './services/resources-copy.js';
import type { EmbeddedStore } from './store/embedded.js';
import { VERSION } from './version.js';
import { dropsView, fdbView, type NamedPort, neighborsView, routesView, statsView } from './views.js';
import { whatIf } from './what-if/what-if.js';

export function apiDaemon(
  options: DaemonOptions,
  mtu: number,
  parts: Parts,
  dataplane: Dataplane,
  state: { ready: boolean; failed: () => boolean },
): ApiDaemon {
  const {
    networks,
    pods,
    podPorts,
    cni,
    impairments,
    ports,
    nodePort,
    hostWay,
    publisher,
    store,
    cluster,
    resources,
    overlays,
    podRecords,
    dns,
    services,
    policies,
    flowKeeper,
  } = parts;
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
  const everyPod = (): NamedPod[] => [
    ...podsHere(podRecords.list()),
    ...networks.overlays().flatMap(({ name }) => podsElsewhere(name, overlays.othersIn(name))),
  ];
  const portName = (port: number): string => everyPort().find(({ id }) => id === port)?.name ?? String(port);
  const world = (): ExplainWorld => explainWorld(options.name, parts);
  const policyDrops = (podAt: (address: string) => string | undefined): PolicyDrops =>
    new PolicyDrops({
      denials: dataplane.denials,
      noteOf: (note) => policies.noteOf(note),
      portName,
      podAt,
      now: () => dataplane.flowTime(),
    });
  return {
    whatIf: whatIf({
      node: options.name,
      nodeIps: () => nodePort.ips,
      cluster,
      networks,
      impairments,
      pods,
      resources,
      policies,
      dataplane,
    }),
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
      hostProblem: hostWay.rules.problem ?? null,
      peers: cluster.peersView(),
      store: cluster.storeStatus,
      pods: pods.attachedCount(),
      restoredFlows: flowKeeper.restored,
      networks: networks.list().length,
      mtu,
      nodeIPs: nodePort.ips,
      dns: dns?.status() ?? null,
      version: VERSION,
      pid: process.pid,
      uptimeSeconds: Math.floor((performance.now() - begun) / 1000),
    }),
    routes: () => routesView(publisher.current, networks.planned(), (note) => policies.noteOf(note)),
    fdb: async () => fdbView(publisher.current, await dataplane.learned()),
    neighbors: async () => neighborsView(publisher.current, await dataplane.learned()),
    names: (network) => {
      if (network !== undefined) networks.get(network);
      return { names: namesOf(everyPod(), network) };
    },
    stats: () => statsView(dataplane.counters, everyPort()),
    drops: () => ({
      ...dropsView(dataplane.counters, everyPort()),
      rules: policyDrops(() => undefined).byRule(),
    }),
    recentDrops: (limit) => {
      const podAt = podsByAddress(world());
      return { drops: policyDrops(podAt).recent(limit) };
    },
    explain: (request) => explain(request, world()),
    flows: new Flows({
      reader: dataplane.flows,
      now: () => dataplane.flowTime(),
      names: new FrontendNames(
        () => services.all,
        () => publisher.generation,
      ),
      addressesOf: (pod) => addressesOf(pod, [...everyPod(), ...podsOfAllNodes(policies.everyPod())]),
      portName,
      policyOf: (row) => flowPolicy(row, policies),
    }),
    environment: (namespace, pod) => ({
      namespace,
      variables: environmentOf(
        services.written,
        namespace,
        pod === undefined || pods.view(namespace, pod).spec?.enableServiceLinks !== false,
      ),
    }),
    isHealthy: () => !state.failed(),
    degraded: () => policies.problem ?? cluster.degraded ?? writeTrouble(store),
    watch: (after, send) => watchResources(store, pods, watched, after, send),
    clusterStore: isOwn ? store : undefined,
  };
}

/** Connections are known at the nodes of both ends. */
function podsOfAllNodes(pods: readonly PolicyPod[]): NamedPod[] {
  return pods.flatMap(({ namespace, name, interfaces }) =>
    interfaces.map(({ network, ips }) => ({ network, pod: `${namespace}/${name}`, ips })),
  );
}

/** @throws PodwireError NOT_FOUND */
function addressesOf(pod: string, pods: readonly NamedPod[]): string[] {
  const found = pods.filter((one) => one.pod === pod);
  if (found.length > 0) return found.flatMap(({ ips }) => ips);
  throw new PodwireError('NOT_FOUND', `there is no pod ${pod} with addresses that are known here`);
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
