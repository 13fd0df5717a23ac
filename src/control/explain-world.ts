/** The cluster as this daemon knows it, for explanations: put together of its parts when somebody asks. */
import type { Namespace, Node } from './api/types.js';
import type { Parts } from './assemble.js';
import { asPodwireError } from './errors.js';
import { nodeAddresses } from './layout.js';
import { usesHostNetwork } from './model/pod.js';
import type { ExplainWorld, HostPod, KnownNode } from './policies/explain-world.js';
import type { AnyPolicy, PolicyName } from './policies/types.js';

/** Label that each namespace has, whether or not it is written: its name. */
const NAME_LABEL = 'kubernetes.io/metadata.name';

type Used = Pick<
  Parts,
  | 'cluster'
  | 'networks'
  | 'nodeAddresses'
  | 'nodePort'
  | 'podRecords'
  | 'policies'
  | 'publisher'
  | 'resources'
  | 'services'
>;

/** @param node this one. */
export function explainWorld(node: string, parts: Used): ExplainWorld {
  const { cluster, networks, publisher, policies, services, resources } = parts;
  return {
    node,
    snapshot: publisher.current,
    networks: networks.planned(),
    clusterCidrs: [...cluster.clusterCidrs, ...cluster.serviceCidrs],
    nodes: knownNodes(node, parts),
    peers: cluster.peersView(),
    pods: policies.everyPod(),
    hostPods: hostPods(node, parts),
    services: services.all,
    service: (key) => services.service(key),
    endpointSlices: (key) => services.endpointSlices(key),
    namespaceLabels: (name) => ({
      ...namespaceOf(name, parts)?.metadata.labels,
      [NAME_LABEL]: name,
    }),
    policy: (name) => policyNamed(name, resources),
    noteOf: (note) => policies.noteOf(note),
    judge: (question) => policies.judge(question),
  };
}

/** podwire0 has the second address of each prefix, on every node. */
function knownNodes(self: string, { cluster, nodePort, nodeAddresses: own }: Used): KnownNode[] {
  const known = cluster.nodes.list().map(({ metadata, spec, status }: Node): KnownNode => {
    const isSelf = metadata.name === self;
    const inside = isSelf ? nodePort.ips : nodeAddresses(spec.podCIDRs);
    const outside = isSelf ? own.list : [];
    const underlay = spec.underlay ? [spec.underlay.address] : [];
    return {
      name: metadata.name,
      state: status?.state ?? 'unknown',
      labels: metadata.labels ?? {},
      addresses: [...new Set([...inside, ...underlay, ...outside])],
      podCidrs: spec.podCIDRs,
    };
  });
  return known;
}

function hostPods(node: string, { podRecords, networks }: Used): HostPod[] {
  return podRecords.list().flatMap(([key, { pod, attachments }]) => {
    const isHost =
      usesHostNetwork(pod) ||
      (attachments.length > 0 &&
        attachments.every(({ network }) => networks.find(network)?.spec.mode === 'host'));
    const [namespace, name] = key.split('/');
    return isHost ? [{ namespace, name, node }] : [];
  });
}

function namespaceOf(name: string, { resources }: Used): Namespace | undefined {
  return resources.namespaces.kind.get(name)?.value;
}

/** As GET answers it; undefined: there is none any more. */
export function policyNamed(
  { kind, namespace, name }: PolicyName,
  { networkPolicies, adminPolicies, baselinePolicies }: Parts['resources'],
): AnyPolicy | undefined {
  try {
    if (kind === 'NetworkPolicy') return networkPolicies.view(`${namespace ?? 'default'}/${name}`);
    return (kind === 'AdminNetworkPolicy' ? adminPolicies : baselinePolicies).view(name);
  } catch (error) {
    if (asPodwireError(error).code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
