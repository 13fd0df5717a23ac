/**
 * Puts the node's part in the cluster together with what it needs of the host: the cluster store, the path MTU to
 * peers, the tunnel.
 */

import { type HostAddress, underlayMtu } from '../host/addresses.js';
import type { Logger } from '../logger.js';
import { vtepMacOf } from '../mac.js';
import type { DaemonOptions } from '../options.js';
import type { PlannedTunnel } from '../plan.js';
import type { Ports } from '../ports.js';
import { type NodeRecord, rememberSubnets } from '../records.js';
import type { Store } from '../store/store.js';
import type { Undo } from '../undo.js';
import { Cluster, type NodeWord } from './cluster.js';
import type { PeerProbes } from './liveness.js';
import { openClusterStore } from './open-store.js';
import type { PathMtu } from './path-mtu.js';
import { type TooBigSource, watchPaths } from './path-watch.js';
import { openTunnel, type TunnelTarget } from './tunnel.js';

export interface JoinParts {
  readonly options: DaemonOptions;
  readonly node: NodeRecord;
  /** This node's own store. */
  readonly local: Store;
  readonly dataplane: PeerProbes & TunnelTarget & TooBigSource;
  /** Of pods. */
  readonly mtu: number;
  readonly addresses: readonly HostAddress[];
  readonly log: Logger;
}

export interface JoinedCluster {
  readonly cluster: Cluster;
  /** The cluster store. */
  readonly store: Store;
  /** undefined: there is no underlay address, so no other node. */
  openTunnel(ports: Ports): Promise<PlannedTunnel | undefined>;
  start(
    tunnel: PlannedTunnel | undefined,
    daemon: {
      readonly publish: () => Promise<void>;
      readonly abandoned: (left: readonly string[], reason: string) => Promise<void>;
      readonly resubnetted: (reason: string) => Promise<void>;
      readonly nodes: (nodes: readonly NodeWord[]) => void;
      readonly leaseChanged: () => void;
    },
  ): Promise<void>;
}

/** @throws PodwireError as `Cluster.join` */
export async function joinCluster(parts: JoinParts, undo: Undo): Promise<JoinedCluster> {
  const { options, node, local, dataplane, mtu, addresses, log } = parts;
  const { underlay } = options;
  const interfaceMtu = underlay === undefined ? 0 : underlayMtu(underlay, addresses);
  const isKnown = node.podCidrs !== undefined;
  const store = await openClusterStore(options, local, isKnown, log);
  if (store !== local) undo.add(() => store.close());
  const paths = underlay === undefined ? undefined : await watchPaths(underlay, interfaceMtu, dataplane, log);
  undo.add(() => paths?.stop());
  const cluster = await Cluster.join({
    options,
    self: { name: node.name, uid: node.uid },
    vtepMac: vtepMacOf(node.uid),
    store,
    local,
    remembered: node.podCidrs,
    probes: dataplane,
    innerMtu: (address) => paths?.innerMtu(address) ?? mtu,
    mtu,
    log,
  });
  undo.add(() => cluster.stop());
  paths?.onChange(() => cluster.pathChanged());
  return {
    cluster,
    store,
    openTunnel: async (ports) =>
      underlay === undefined
        ? undefined
        : openTunnel(dataplane, ports, {
            address: underlay,
            port: options.tunnelPort,
            vni: cluster.vni,
            mac: vtepMacOf(node.uid),
            mtu: tunnelMtuOf(paths, underlay, mtu),
          }),
    start: (tunnel, { publish, ...listeners }) =>
      cluster.start(
        {
          ...listeners,
          changed: publish,
          addresses: (peers) => paths?.setPeers(peers),
          remember: (podCidrs) => rememberSubnets(local, node, podCidrs),
        },
        tunnel,
      ),
  };
}

/** What fits through the tunnel where nothing is known of the path: the interface's. */
function tunnelMtuOf(paths: PathMtu | undefined, underlay: string, mtu: number): number {
  return paths?.innerMtu(underlay) ?? mtu;
}
