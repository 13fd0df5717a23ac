/** What would be, as the daemon's API is asked it: the dry run, and the state that a replay begins with. */
import type { Dataplane } from '../../dataplane/worker/handle.js';
import type { Resource } from '../api/types.js';
import type { WhatIf } from '../api/what-if-routes.js';
import type { Cluster } from '../cluster/cluster.js';
import type { Impairments } from '../impairments.js';
import type { Networks } from '../networks.js';
import type { Pods } from '../pods.js';
import type { LivePolicies } from '../policies/live-policies.js';
import type { Resources } from '../services/resources.js';
import { keyOfResource } from './documents.js';
import { DryRun } from './dry-run.js';
import { stateDocument } from './state-document.js';

export interface WhatIfParts {
  readonly node: string;
  readonly nodeIps: () => readonly string[];
  readonly cluster: Pick<Cluster, 'clusterCidrs' | 'serviceCidrs' | 'nodes'>;
  readonly networks: Networks;
  readonly impairments: Impairments;
  readonly pods: Pods;
  readonly resources: Resources;
  readonly policies: LivePolicies;
  readonly dataplane: Dataplane;
}

export function whatIf(parts: WhatIfParts): WhatIf {
  const { node, nodeIps, cluster, networks, resources, policies, dataplane } = parts;
  return {
    dryRun: new DryRun({
      node,
      state: () => policies.state(),
      judge: (question) => policies.judge(question),
      follow: () => policies.follow(),
      reader: dataplane.flows,
      denials: dataplane.denials,
      now: () => dataplane.flowTime(),
      find: (kind, key) => listOf(parts, kind).find((resource) => keyOfResource(resource) === key),
    }),
    state: async () =>
      stateDocument(
        {
          node,
          nodeIPs: [...nodeIps()],
          clusterCIDRs: [...cluster.clusterCidrs],
          serviceCIDRs: [...cluster.serviceCidrs],
        },
        policies.state().pods.values(),
        [
          ...networks.list(),
          ...cluster.nodes.list(),
          ...resources.namespaces.list(),
          ...resources.networkPolicies.list(),
          ...resources.adminPolicies.list(),
          ...resources.baselinePolicies.list(),
          ...resources.services.list(),
          ...resources.slices.list(),
        ],
      ),
  };
}

function listOf(parts: WhatIfParts, kind: Resource['kind']): readonly Resource[] {
  const { cluster, networks, impairments, pods, resources } = parts;
  const lists: { [K in Resource['kind']]: () => readonly Resource[] } = {
    AdminNetworkPolicy: () => resources.adminPolicies.list(),
    BaselineAdminNetworkPolicy: () => resources.baselinePolicies.list(),
    EndpointSlice: () => resources.slices.list(),
    Impairment: () => impairments.list(),
    Namespace: () => resources.namespaces.list(),
    Network: () => networks.list(),
    NetworkPolicy: () => resources.networkPolicies.list(),
    Node: () => cluster.nodes.list(),
    Pod: () => pods.list(),
    Service: () => resources.services.list(),
  };
  return lists[kind]();
}
