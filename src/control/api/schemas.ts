/**
 * JSON schemas of the API's bodies and answers by name: `components.schemas` of the OpenAPI document. Requests
 * are checked with the same objects; that answers keep to theirs is tested.
 */
import { CYCLES, PORT_COUNTERS, TOTALS } from '../../dataplane/counters.js';
import { ERROR_CODES } from '../errors.js';
import { ADMIN_POLICY_SCHEMA, BASELINE_POLICY_SCHEMA } from '../model/admin-policy-schema.js';
import { ATTACH_SCHEMA, DETACH_SCHEMA, LIMIT_SCHEMA, PUBLISH_SCHEMA } from '../model/attach.js';
import { CNI_ADD_SCHEMA, CNI_CHECK_SCHEMA, CNI_DEL_SCHEMA, CNI_GC_SCHEMA } from '../model/cni.js';
import { ENDPOINT_SLICE_SCHEMA } from '../model/endpoint-slice.js';
import { IMPAIRMENT_SCHEMA } from '../model/impairment.js';
import { NAMESPACE_SCHEMA } from '../model/namespace.js';
import { NETWORK_SCHEMA } from '../model/network.js';
import { NETWORK_POLICY_SCHEMA } from '../model/network-policy.js';
import { NODE_SCHEMA } from '../model/node.js';
import { POD_SCHEMA } from '../model/pod.js';
import { UNPUBLISH_SCHEMA } from '../model/publish.js';
import { closed, type Schema } from '../model/schema.js';
import { SERVICE_SCHEMA } from '../model/service.js';
import { DROP_SCHEMAS } from './drop-schemas.js';
import { EXPLAIN_SCHEMAS } from './explain-schemas.js';
import { FLOW_SCHEMAS } from './flow-schemas.js';
import { STORE_SCHEMAS } from './store-schemas.js';
import { WHAT_IF_SCHEMAS } from './what-if-schemas.js';

const text: Schema = { type: 'string' };
const count: Schema = { type: 'number' };
const flag: Schema = { type: 'boolean' };
const optionalText: Schema = { type: ['string', 'null'] };
const optionalCount: Schema = { type: ['number', 'null'] };

function list(items: Schema): Schema {
  return { type: 'array', items };
}

function choice(...values: string[]): Schema {
  return { type: 'string', enum: values };
}

function counts(names: readonly string[]): Record<string, Schema> {
  return Object.fromEntries(names.map((name) => [name, count]));
}

/** An object that always has all of these. */
function exactly(properties: Record<string, Schema>): Schema {
  return closed(properties, Object.keys(properties));
}

function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` };
}

function listOf(kind: string): Schema {
  return exactly({
    apiVersion: text,
    kind: { const: `${kind}List` },
    revision: count,
    items: list(ref(kind)),
  });
}

const RATE = exactly({ rate: count, burst: count });
const LIMITS = closed({ egress: RATE, ingress: RATE });

const PORTS = list(
  closed({ containerPort: count, hostPort: count, hostIP: text, protocol: text, message: text }, [
    'containerPort',
    'hostPort',
    'protocol',
  ]),
);

const NODE_STATE = choice('self', 'up', 'down', 'unknown');
const ENTRY = { mac: text, port: text, ageMs: optionalCount };

const DNS_STATUS = exactly({
  domain: text,
  addresses: list(text),
  listening: list(text),
  upstreams: list(exactly({ address: text, state: choice('up', 'down', 'looping') })),
  problem: optionalText,
  questions: count,
  malformed: count,
  ignored: count,
  rateDropped: count,
  servfail: count,
});

const POD_DNS = exactly({ nameservers: list(text), search: list(text), options: list(text) });

const ATTACHED = {
  name: text,
  namespace: text,
  network: text,
  ips: list(text),
  mac: text,
  gateway: list(text),
  mtu: count,
  ifname: text,
};

const RESOURCES = {
  AdminNetworkPolicy: ADMIN_POLICY_SCHEMA,
  BaselineAdminNetworkPolicy: BASELINE_POLICY_SCHEMA,
  EndpointSlice: ENDPOINT_SLICE_SCHEMA,
  Impairment: IMPAIRMENT_SCHEMA,
  Namespace: NAMESPACE_SCHEMA,
  Network: NETWORK_SCHEMA,
  NetworkPolicy: NETWORK_POLICY_SCHEMA,
  Node: NODE_SCHEMA,
  Pod: POD_SCHEMA,
  Service: SERVICE_SCHEMA,
};

export const SCHEMAS = {
  ...RESOURCES,
  AdminNetworkPolicyList: listOf('AdminNetworkPolicy'),
  BaselineAdminNetworkPolicyList: listOf('BaselineAdminNetworkPolicy'),
  EndpointSliceList: listOf('EndpointSlice'),
  ImpairmentList: listOf('Impairment'),
  NamespaceList: listOf('Namespace'),
  NetworkList: listOf('Network'),
  NetworkPolicyList: listOf('NetworkPolicy'),
  NodeList: listOf('Node'),
  PodList: listOf('Pod'),
  ServiceList: listOf('Service'),
  AttachRequest: ATTACH_SCHEMA,
  AttachAnswer: closed(
    { ...ATTACHED, limits: LIMITS, ports: PORTS, tap: text, dns: POD_DNS },
    Object.keys(ATTACHED),
  ),
  PodDns: POD_DNS,
  DetachRequest: DETACH_SCHEMA,
  DetachAnswer: exactly({ name: text, namespace: text, ips: list(text) }),
  LimitRequest: LIMIT_SCHEMA,
  LimitAnswer: exactly({ name: text, namespace: text, ifname: text, network: text, limits: LIMITS }),
  PublishRequest: PUBLISH_SCHEMA,
  UnpublishRequest: UNPUBLISH_SCHEMA,
  PortsAnswer: exactly({ name: text, namespace: text, ports: PORTS }),
  CniAddRequest: CNI_ADD_SCHEMA,
  CniAddAnswer: exactly({
    namespace: text,
    name: text,
    network: text,
    ifname: text,
    mac: text,
    mtu: count,
    netns: text,
    ips: list(closed({ address: text, gateway: text }, ['address'])),
    routes: list(exactly({ dst: text, gw: text })),
    dns: { oneOf: [POD_DNS, { type: 'null' }] },
  }),
  CniDelRequest: CNI_DEL_SCHEMA,
  CniCheckRequest: CNI_CHECK_SCHEMA,
  CniGcRequest: CNI_GC_SCHEMA,
  CniReleasedAnswer: exactly({
    released: list(exactly({ containerId: text, ifname: text, config: text, ips: list(text) })),
  }),
  CniStatusAnswer: exactly({ ready: flag }),
  Status: exactly({
    node: text,
    ready: flag,
    io: choice('uring', 'poll'),
    ioReason: text,
    workers: count,
    generation: count,
    podCIDRs: list(text),
    clusterCIDRs: list(text),
    serviceCIDRs: list(text),
    underlay: optionalText,
    hostProblem: optionalText,
    peers: list(exactly({ name: text, address: text, state: NODE_STATE, rttMicros: optionalCount })),
    store: exactly({
      kind: choice('embedded', 'remote', 'etcd'),
      connected: flag,
      since: text,
      reason: optionalText,
    }),
    pods: count,
    restoredFlows: count,
    networks: count,
    mtu: count,
    nodeIPs: list(text),
    dns: { oneOf: [DNS_STATUS, { type: 'null' }] },
    version: text,
    pid: count,
    uptimeSeconds: count,
  }),
  Routes: exactly({
    generation: count,
    routes: list(
      exactly({
        network: text,
        prefix: text,
        kind: choice('connected', 'via', 'port', 'peer', 'local', 'unreachable', 'apart'),
        via: optionalText,
        dev: optionalText,
      }),
    ),
  }),
  Fdb: exactly({
    generation: count,
    fdb: list(exactly({ network: text, vlan: count, kind: choice('static', 'learned'), ...ENTRY })),
  }),
  Neighbors: exactly({
    generation: count,
    neighbors: list(
      exactly({ network: text, address: text, kind: choice('static', 'learned', 'local'), ...ENTRY }),
    ),
  }),
  Names: exactly({
    names: list(exactly({ network: text, name: text, pod: text, ips: list(text) })),
  }),
  Environment: exactly({ namespace: text, variables: list(exactly({ name: text, value: text })) }),
  Stats: exactly({
    ports: list(exactly({ port: text, drops: count, ...counts(PORT_COUNTERS) })),
    totals: exactly(counts(TOTALS)),
    inFlight: count,
    cycles: exactly(counts(CYCLES)),
  }),
  Health: closed({ ok: flag, degraded: text }, ['ok']),
  WatchEvent: exactly({
    type: choice('ADDED', 'MODIFIED', 'DELETED'),
    revision: count,
    object: { oneOf: Object.keys(RESOURCES).map(ref) },
  }),
  ...DROP_SCHEMAS,
  ...EXPLAIN_SCHEMAS,
  ...FLOW_SCHEMAS,
  ...WHAT_IF_SCHEMAS,
  ...STORE_SCHEMAS,
  OpenApi: { type: 'object' },
  Error: exactly({
    error: closed({ code: choice(...ERROR_CODES.map(({ code }) => code)), message: text, field: text }, [
      'code',
      'message',
    ]),
  }),
} satisfies Record<string, Schema>;

export type SchemaName = keyof typeof SCHEMAS;
