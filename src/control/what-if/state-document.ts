/**
 * A cluster's state as a document: GET /v1/state answers it, `podwire state` prints it, `podwire replay --running FILE` reads it. Manifests
 * with what no manifest says, which is whose state it is and where its addresses are; any other file of manifests is a state, too, as far as
 * its pods have addresses: `podwire get pods -o yaml`, or `kubectl get pods,namespaces,networkpolicies -A -o yaml`.
 */
import { formatIp, parseIp } from '../../wire/address.js';
import type { InterfaceStatus, Network, Node, Pod, Resource } from '../api/types.js';
import type { StateAnswer } from '../api/what-if-types.js';
import { firstHost } from '../cidr.js';
import { asPodwireError, invalid, PodwireError } from '../errors.js';
import { nodeAddresses } from '../layout.js';
import { DEFAULT_NAMESPACE, resourcePath } from '../model/kinds.js';
import { DEFAULT_NETWORK, parsePrefix } from '../model/network.js';
import { attachmentWish, namedPorts, usesHostNetwork } from '../model/pod.js';
import { DEFAULT_CLUSTER_CIDRS, DEFAULT_SERVICE_CIDRS } from '../options.js';
import type { AnyPolicy, PolicyInterface, PolicyNode, PolicyPod } from '../policies/types.js';
import type { ReplayState } from '../replay/types.js';
import { podKeyOf } from '../services/types.js';
import { keyOfResource, parseDocument } from './documents.js';
import { candidateOf, isPolicy, labelsOf, policyKey } from './policy-state.js';

export const STATE_KIND = 'State';
const STATE_VERSION = 'podwire.dev/v1';

/** Of a state that names no node. */
const SOME_NODE = 'node';

export function podDocument({ namespace, name, node, labels, ports, interfaces }: PolicyPod): Pod {
  const containers = [
    {
      name: 'ports',
      ports: ports.map(({ name: port, protocol, port: containerPort }) => ({
        name: port,
        protocol,
        containerPort,
      })),
    },
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { ...labels } },
    spec: { nodeName: node, ...(ports.length > 0 && { containers }) },
    status: {
      phase: 'Running',
      interfaces: interfaces.map(({ network, ips }) => ({ network, ips: [...ips] })) as InterfaceStatus[],
    },
  };
}

/**
 * @param documents of a file, lists taken apart.
 * @throws PodwireError INVALID, UNSUPPORTED, naming the document and its field
 */
export function readState(documents: readonly unknown[]): ReplayState {
  const reader = new StateReader();
  for (const [index, document] of documents.entries()) reader.add(document, `document ${index + 1}`);
  return reader.state();
}

/** A state with documents applied to it: policies, labels, and all else that a state has, but addresses of pods that it has not. */
export function withDocuments(state: ReplayState, apply: readonly Resource[]): ReplayState {
  const put = <T extends Resource>(before: readonly T[], kind: T['kind']): T[] => {
    const fresh = apply.filter((resource) => resource.kind === kind) as T[];
    const keys = new Set(fresh.map(keyOfResource));
    return [...before.filter((resource) => !keys.has(keyOfResource(resource))), ...fresh];
  };
  return {
    ...state,
    ...candidateOf(state, { apply, delete: [] }),
    networks: put(state.networks, 'Network'),
    members: put(state.members, 'Node'),
    services: put(state.services, 'Service'),
    slices: put(state.slices, 'EndpointSlice'),
  };
}

class StateReader {
  private header: Partial<StateAnswer> = {};
  private readonly policies = new Map<string, AnyPolicy>();
  private readonly namespaces = new Map<string, Readonly<Record<string, string>>>();
  private readonly pods = new Map<string, PolicyPod>();
  private readonly others: Resource[] = [];

  add(document: unknown, place: string): void {
    const { kind, apiVersion, items } = (document ?? {}) as Partial<StateAnswer>;
    if (kind === STATE_KIND && apiVersion === STATE_VERSION) {
      if (!Array.isArray(items)) throw invalid(`${place}: items`, 'must be an array of resources');
      this.header = checkedHeader(document as StateAnswer, place);
      for (const [index, item] of items.entries()) this.add(item, `${place}, items[${index}]`);
      return;
    }
    try {
      this.take(isNode(document) ? checkedNode(document) : parseDocument(document), document);
    } catch (error) {
      const { code, message, field } = asPodwireError(error);
      throw new PodwireError(code, `${place}: ${message}`, field, error);
    }
  }

  state(): ReplayState {
    const { node = SOME_NODE, nodeIPs = [] } = this.header;
    const members = this.only<Node>('Node');
    return {
      node,
      nodeIps: nodeIPs,
      clusterCidrs: this.header.clusterCIDRs ?? DEFAULT_CLUSTER_CIDRS,
      serviceCidrs: this.header.serviceCIDRs ?? DEFAULT_SERVICE_CIDRS,
      policies: this.policies,
      namespaces: this.namespaces,
      pods: this.pods,
      nodes: new Map(members.map((member) => [member.metadata.name, policyNode(member, node, nodeIPs)])),
      domains: new Map(),
      networks: this.only<Network>('Network'),
      members,
      services: this.only('Service'),
      slices: this.only('EndpointSlice'),
    };
  }

  private take(resource: Resource, document: unknown): void {
    if (isPolicy(resource)) this.policies.set(policyKey(resource.kind, keyOfResource(resource)), resource);
    else if (resource.kind === 'Namespace') this.namespaces.set(resource.metadata.name, labelsOf(resource));
    else if (resource.kind === 'Pod') this.takePod(resource, document as Pod);
    else this.others.push(resource);
  }

  private takePod(pod: Pod, document: Pod): void {
    if (usesHostNetwork(pod)) return;
    const { nodeName } = (pod.spec ?? {}) as { nodeName?: string };
    const policyPod: PolicyPod = {
      namespace: pod.metadata.namespace ?? DEFAULT_NAMESPACE,
      name: pod.metadata.name,
      node: nodeName ?? this.header.node ?? SOME_NODE,
      labels: labelsOf(pod),
      ports: namedPorts(pod),
      interfaces: interfacesOf(document),
    };
    this.pods.set(podKeyOf(policyPod), policyPod);
  }

  private only<T extends Resource>(kind: T['kind']): T[] {
    return this.others.filter((resource) => resource.kind === kind) as T[];
  }
}

function isNode(document: unknown): document is Node {
  const { kind, apiVersion } = (document ?? {}) as Partial<Node>;
  return kind === 'Node' && apiVersion === STATE_VERSION;
}

/** A node that publishes itself need not have all that one has that is applied by hand. */
function checkedNode(node: Node): Node {
  const { name } = resourcePath(node);
  const { podCIDRs, underlay } = node.spec ?? {};
  if (!Array.isArray(podCIDRs)) throw invalid('spec.podCIDRs', 'must be an array of prefixes');
  const prefixes = podCIDRs.map((cidr, index) => parsePrefix(`spec.podCIDRs[${index}]`, String(cidr)));
  const address = underlay && checkedIps([underlay.address])[0];
  const spec = { podCIDRs: prefixes, ...(address !== undefined && { underlay: { address } }) };
  return { ...node, metadata: { ...node.metadata, name }, spec };
}

/** As the status says, or, of one that is not attached, the annotation with fixed addresses. */
function interfacesOf(pod: Pod): PolicyInterface[] {
  const { interfaces, podIPs, podIP, network = DEFAULT_NETWORK } = pod.status ?? {};
  if (Array.isArray(interfaces))
    return interfaces.map(({ network, ips }) => ({ network, ips: checkedIps(ips) }));
  if (Array.isArray(podIPs)) return [{ network, ips: checkedIps(podIPs.map(({ ip }) => ip)) }];
  if (podIP !== undefined) return [{ network, ips: checkedIps([podIP]) }];
  const wish = attachmentWish(pod);
  if (wish.ips === undefined) return [];
  return [{ network: wish.network ?? DEFAULT_NETWORK, ips: wish.ips }];
}

function checkedIps(ips: unknown): string[] {
  if (!Array.isArray(ips)) throw invalid('status', 'addresses must be an array');
  return ips.map((ip) => {
    try {
      return formatIp(parseIp(String(ip)));
    } catch (error) {
      throw invalid('status', asPodwireError(error).message);
    }
  });
}

function checkedHeader(state: StateAnswer, place: string): Partial<StateAnswer> {
  for (const field of ['nodeIPs', 'clusterCIDRs', 'serviceCIDRs'] as const) {
    if (state[field] !== undefined && !Array.isArray(state[field]))
      throw invalid(`${place}: ${field}`, 'must be an array of texts');
  }
  return state;
}

/** A node sends from its own addresses, and its switch from its gateways'. */
function policyNode({ metadata, spec }: Node, self: string, nodeIPs: readonly string[]): PolicyNode {
  const { podCIDRs, underlay } = spec;
  const addresses = [
    ...(metadata.name === self ? nodeIPs : []),
    ...(underlay === undefined ? [] : [underlay.address]),
    ...podCIDRs.map(firstHost),
    ...nodeAddresses(podCIDRs),
  ];
  return { name: metadata.name, labels: metadata.labels ?? {}, addresses: [...new Set(addresses)] };
}

export function stateDocument(
  header: Omit<StateAnswer, 'apiVersion' | 'kind' | 'items'>,
  pods: Iterable<PolicyPod>,
  resources: readonly Resource[],
): StateAnswer {
  return {
    apiVersion: STATE_VERSION,
    kind: STATE_KIND,
    ...header,
    items: [...resources, ...[...pods].map(podDocument)],
  };
}
