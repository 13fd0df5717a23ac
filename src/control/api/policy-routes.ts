/** /v1/networkpolicies, /v1/adminnetworkpolicies and /v1/baselineadminnetworkpolicies. */
import { parseAdminPolicy, parseBaselinePolicy } from '../model/admin-policy.js';
import { parseNetworkPolicy } from '../model/network-policy.js';
import type { Resources } from '../services/resources.js';
import { resourceRoutes } from './resource-routes.js';
import type { Route } from './routes.js';

export function policyRoutes(resources: () => Resources, revision: () => Promise<number>): Route[] {
  return [
    ...resourceRoutes(revision, {
      kind: 'NetworkPolicy',
      apiVersion: 'networking.k8s.io/v1',
      plural: 'networkpolicies',
      namespaced: true,
      words: {
        all: 'all network policies',
        one: 'one network policy',
        put: 'create or change a network policy; answers when it is in force on this node',
        delete: 'delete a network policy; answers when it holds no more on this node',
      },
      parse: parseNetworkPolicy,
      store: () => resources().networkPolicies,
    }),
    ...resourceRoutes(revision, {
      kind: 'AdminNetworkPolicy',
      apiVersion: 'policy.networking.k8s.io/v1alpha1',
      plural: 'adminnetworkpolicies',
      namespaced: false,
      words: {
        all: 'all policies of the cluster’s administrators',
        one: 'one policy of the cluster’s administrators',
        put: 'create or change a policy that holds before network policies; answers when it is in force on this node',
        delete: 'delete a policy of the cluster’s administrators',
      },
      parse: parseAdminPolicy,
      store: () => resources().adminPolicies,
    }),
    ...resourceRoutes(revision, {
      kind: 'BaselineAdminNetworkPolicy',
      apiVersion: 'policy.networking.k8s.io/v1alpha1',
      plural: 'baselineadminnetworkpolicies',
      namespaced: false,
      words: {
        all: 'the baseline, where there is one',
        one: 'the baseline: its name is default',
        put: 'create or change what holds where no other policy decides; answers when it is in force on this node',
        delete: 'delete the baseline',
      },
      parse: parseBaselinePolicy,
      store: () => resources().baselinePolicies,
    }),
  ];
}
