/**
 * The routes of the API: what each is called with, what it answers, what it does. The server and the OpenAPI
 * document are both made from this table.
 */
import type { Nodes } from '../cluster/nodes.js';
import type { Cni } from '../cni.js';
import { PodwireError } from '../errors.js';
import type { Flows } from '../flows/flows.js';
import type { Impairments } from '../impairments.js';
import { parseAttach, parseDetach, parseLimit, parsePublish } from '../model/attach.js';
import { DEFAULT_NAMESPACE, namespaceName, resourceName } from '../model/kinds.js';
import { parseNetwork } from '../model/network.js';
import { parseNode } from '../model/node.js';
import { parsePod } from '../model/pod.js';
import { parseUnpublish } from '../model/publish.js';
import type { Networks } from '../networks.js';
import type { PodPorts } from '../pod-ports.js';
import type { Pods } from '../pods.js';
import type { Resources } from '../services/resources.js';
import type { Store, Watch } from '../store/store.js';
import { cniRoutes } from './cni-routes.js';
import { type DropsSource, dropRoutes } from './drop-routes.js';
import { explainRoutes } from './explain-routes.js';
import type { ExplainAnswer, ExplainRequest } from './explain-types.js';
import { flowRoutes } from './flow-routes.js';
import { impairmentRoutes } from './impairment-routes.js';
import { openApi } from './openapi.js';
import { policyRoutes } from './policy-routes.js';
import { checkIdentity, putReply } from './replies.js';
import type { SchemaName } from './schemas.js';
import { serviceRoutes } from './service-routes.js';
import { storeRoutes } from './store-routes.js';
import type {
  EnvironmentAnswer,
  FdbAnswer,
  NamesAnswer,
  NeighborsAnswer,
  RoutesAnswer,
  StatsAnswer,
  StatusAnswer,
  WatchEvent,
} from './types.js';
import { parseRevision, refusePlain } from './watch.js';
import { type WhatIf, whatIfRoutes } from './what-if-routes.js';

export interface ApiRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Parsed JSON; undefined without a body. */
  readonly body: unknown;
  /** Aborted when whoever asked has gone away. */
  readonly gone?: AbortSignal;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** The server's end of a WebSocket. */
export interface Channel {
  /** As JSON. */
  send(message: unknown): void;
  /** Closes it with code 1013 and `CODE: message`. */
  fail(error: unknown): void;
}

/** Runs until the Watch is closed. What it throws closes the channel. */
export type Stream = (channel: Channel) => Promise<Watch>;

export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** `:name` is a parameter. */
  readonly path: string;
  readonly summary: string;
  /** Query parameters with what they mean; others are refused. */
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: SchemaName;
  /** Without a body everything is left open. */
  readonly isBodyOptional?: boolean;
  readonly answer: SchemaName;
  /** A WebSocket: begins what is sent on it, or throws what the upgrade is to be refused with. */
  readonly stream?: (query: URLSearchParams) => Stream;
  readonly handle: (request: ApiRequest) => Reply | Promise<Reply>;
}

/** The daemon as the API sees it. */
export interface ApiDaemon extends DropsSource {
  readonly networks: Networks;
  readonly nodes: Nodes;
  readonly pods: Pods;
  readonly podPorts: PodPorts;
  readonly cni: Cni;
  readonly impairments: Impairments;
  readonly resources: Resources;
  /** Of the store. */
  revision(): Promise<number>;
  status(): StatusAnswer;
  routes(): RoutesAnswer;
  fdb(): Promise<FdbAnswer>;
  neighbors(): Promise<NeighborsAnswer>;
  /** Of one network, or of all. @throws PodwireError NOT_FOUND */
  names(network: string | undefined): NamesAnswer;
  readonly flows: Flows;
  /** @throws PodwireError INVALID, NOT_FOUND */
  explain(request: ExplainRequest): ExplainAnswer;
  readonly whatIf: WhatIf;
  /** Services of a namespace as environment variables. @param pod that they are for. @throws PodwireError NOT_FOUND */
  environment(namespace: string, pod: string | undefined): EnvironmentAnswer;
  stats(): StatsAnswer;
  isHealthy(): boolean;
  /** What does not work at present, while forwarding goes on. */
  degraded(): string | undefined;
  /** Begins what /v1/watch reports. */
  watch(after: number | undefined, send: (event: WatchEvent) => void): Promise<Watch>;
  /** What /v1/store serves to nodes that join; undefined where this one has joined another. */
  readonly clusterStore: Store | undefined;
}

export function apiRoutes(daemon: ApiDaemon): Route[] {
  const routes: Route[] = [
    ...networkRoutes(daemon),
    ...nodeRoutes(daemon),
    ...podRoutes(daemon),
    ...cniRoutes(daemon.cni),
    ...impairmentRoutes(daemon.impairments, () => daemon.revision()),
    ...serviceRoutes(
      () => daemon.resources,
      () => daemon.revision(),
    ),
    ...policyRoutes(
      () => daemon.resources,
      () => daemon.revision(),
    ),
    ...stateRoutes(daemon),
    ...dropRoutes(() => daemon),
    ...flowRoutes(() => daemon.flows),
    ...explainRoutes((request) => daemon.explain(request)),
    ...whatIfRoutes(() => daemon.whatIf),
    ...healthRoutes(daemon),
    ...storeRoutes({ store: () => daemon.clusterStore }),
    get('/openapi.json', 'this description', 'OpenApi', () => openApi(routes)),
  ];
  return routes;
}

/** What a path is that no route has. @returns the error to answer with */
export function unknownPath(path: string): PodwireError {
  return new PodwireError('NOT_FOUND', `there is no ${path}; GET /openapi.json lists all paths`);
}

function get(path: string, summary: string, answer: SchemaName, body: () => unknown): Route {
  return { method: 'GET', path, summary, answer, handle: async () => ({ body: await body() }) };
}

function networkRoutes({ networks, revision }: ApiDaemon): Route[] {
  const path = '/v1/networks/:name';
  const nameOf = ({ params }: ApiRequest): string => resourceName(params.name);
  return [
    get('/v1/networks', 'all networks', 'NetworkList', async () => ({
      apiVersion: 'podwire.dev/v1',
      kind: 'NetworkList',
      revision: await revision(),
      items: networks.list(),
    })),
    {
      method: 'GET',
      path,
      summary: 'one network',
      answer: 'Network',
      handle: (request) => ({ body: networks.view(nameOf(request)) }),
    },
    {
      method: 'PUT',
      path,
      summary: 'create or change a network',
      body: 'Network',
      answer: 'Network',
      handle: async (request) => {
        const name = nameOf(request);
        const network = parseNetwork(request.body);
        checkIdentity(network.metadata, name);
        return putReply(await networks.put(name, network), networks.view(name));
      },
    },
    {
      method: 'DELETE',
      path,
      summary: 'delete a network that no pod is attached to',
      answer: 'Network',
      handle: async (request) => ({ body: await networks.delete(nameOf(request)) }),
    },
  ];
}

function nodeRoutes({ nodes, revision }: ApiDaemon): Route[] {
  const path = '/v1/nodes/:name';
  const nameOf = ({ params }: ApiRequest): string => resourceName(params.name);
  return [
    get('/v1/nodes', 'all nodes of the cluster', 'NodeList', async () => ({
      apiVersion: 'podwire.dev/v1',
      kind: 'NodeList',
      revision: await revision(),
      items: nodes.list(),
    })),
    {
      method: 'GET',
      path,
      summary: 'one node',
      answer: 'Node',
      handle: (request) => ({ body: nodes.view(nameOf(request)) }),
    },
    {
      method: 'PUT',
      path,
      summary: 'create or change a node that runs no daemon',
      body: 'Node',
      answer: 'Node',
      handle: async (request) => {
        const name = nameOf(request);
        const node = parseNode(request.body);
        checkIdentity(node.metadata, name);
        return putReply(await nodes.put(name, node), nodes.view(name));
      },
    },
    {
      method: 'DELETE',
      path,
      summary: 'delete a node that runs no daemon, or whose daemon is gone',
      answer: 'Node',
      handle: async (request) => ({ body: await nodes.delete(nameOf(request)) }),
    },
  ];
}

function podRoutes({ pods, podPorts, revision }: ApiDaemon): Route[] {
  const path = '/v1/pods/:namespace/:name';
  const keyOf = ({ params }: ApiRequest): [string, string] => [
    namespaceName(params.namespace),
    resourceName(params.name),
  ];
  return [
    {
      method: 'GET',
      path: '/v1/pods',
      summary: 'all pods',
      query: { namespace: 'of this namespace only' },
      answer: 'PodList',
      handle: async ({ query }) => ({
        body: {
          apiVersion: 'v1',
          kind: 'PodList',
          revision: await revision(),
          items: pods.list(query.get('namespace') ?? undefined),
        },
      }),
    },
    {
      method: 'GET',
      path,
      summary: 'one pod',
      answer: 'Pod',
      handle: (request) => ({ body: pods.view(...keyOf(request)) }),
    },
    {
      method: 'PUT',
      path,
      summary: 'create or change a pod; with the annotation podwire.dev/netns it is attached',
      body: 'Pod',
      answer: 'Pod',
      handle: async (request) => {
        const [namespace, name] = keyOf(request);
        const pod = parsePod(request.body);
        checkIdentity(pod.metadata, name, namespace);
        return putReply(await pods.put(namespace, name, pod), pods.view(namespace, name));
      },
    },
    {
      method: 'DELETE',
      path,
      summary: 'delete a pod; one that is attached is detached first',
      answer: 'Pod',
      handle: async (request) => ({ body: await pods.delete(...keyOf(request)) }),
    },
    {
      method: 'GET',
      path: `${path}/dns`,
      summary: 'what belongs into the pod’s resolv.conf',
      answer: 'PodDns',
      handle: (request) => ({ body: pods.dns(...keyOf(request)) }),
    },
    {
      method: 'POST',
      path: `${path}/attach`,
      summary: 'give the pod its interface',
      body: 'AttachRequest',
      answer: 'AttachAnswer',
      handle: async (request) => ({ body: await pods.attach(...keyOf(request), parseAttach(request.body)) }),
    },
    {
      method: 'POST',
      path: `${path}/detach`,
      summary: 'take the pod’s interface away, or the one that is named',
      body: 'DetachRequest',
      isBodyOptional: true,
      answer: 'DetachAnswer',
      handle: async (request) => ({
        body: await pods.detach(...keyOf(request), parseDetach(request.body ?? {})),
      }),
    },
    {
      method: 'PUT',
      path: `${path}/limits`,
      summary: 'limit what an interface sends and is sent, while it runs',
      body: 'LimitRequest',
      answer: 'LimitAnswer',
      handle: async (request) => {
        const { ifname, ...limits } = parseLimit(request.body);
        return { body: await pods.limit(...keyOf(request), ifname, limits) };
      },
    },
    {
      method: 'POST',
      path: `${path}/ports`,
      summary: 'publish ports of the pod at ports of the node, while it runs',
      body: 'PublishRequest',
      answer: 'PortsAnswer',
      handle: async (request) => ({
        body: await podPorts.publish(...keyOf(request), parsePublish(request.body)),
      }),
    },
    {
      method: 'POST',
      path: `${path}/ports/remove`,
      summary: 'take published ports back, all or those that are named',
      body: 'UnpublishRequest',
      isBodyOptional: true,
      answer: 'PortsAnswer',
      handle: async (request) => {
        const { ports } = parseUnpublish(request.body ?? {});
        return { body: await podPorts.unpublish(...keyOf(request), ports) };
      },
    },
  ];
}

function stateRoutes(daemon: ApiDaemon): Route[] {
  return [
    get('/v1/status', 'the daemon', 'Status', () => daemon.status()),
    get('/v1/routes', 'the routes in force', 'Routes', () => daemon.routes()),
    get('/v1/fdb', 'MAC addresses and their ports', 'Fdb', () => daemon.fdb()),
    get('/v1/neighbors', 'IP addresses and their MAC addresses', 'Neighbors', () => daemon.neighbors()),
    {
      method: 'GET',
      path: '/v1/names',
      summary: 'names of pods in their networks: their own and aliases',
      query: { network: 'of this network only' },
      answer: 'Names',
      handle: ({ query }) => ({ body: daemon.names(query.get('network') ?? undefined) }),
    },
    {
      method: 'GET',
      path: '/v1/env',
      summary: 'services of a namespace as environment variables',
      query: { namespace: 'default: default', pod: 'of this node, which they are for' },
      answer: 'Environment',
      handle: ({ query }) => {
        const pod = query.get('pod') ?? undefined;
        return {
          body: daemon.environment(
            namespaceName(query.get('namespace') ?? DEFAULT_NAMESPACE),
            pod === undefined ? undefined : resourceName(pod),
          ),
        };
      },
    },
    get('/v1/stats', 'packets and bytes', 'Stats', () => daemon.stats()),
    {
      method: 'GET',
      path: '/v1/watch',
      summary: 'WebSocket: every change since a revision, in order, none missing',
      query: { revision: 'of a list; without it, changes from now on' },
      answer: 'WatchEvent',
      stream: (query) => {
        const after = parseRevision(query.get('revision'));
        return ({ send }) => daemon.watch(after, send);
      },
      handle: refusePlain,
    },
  ];
}

function healthRoutes(daemon: ApiDaemon): Route[] {
  const health = (ok: boolean, degraded?: string): Reply => ({
    status: ok ? 200 : 503,
    body: { ok, ...(ok && degraded !== undefined && { degraded }) },
  });
  return [
    {
      method: 'GET',
      path: '/healthz',
      summary: 'whether the daemon works',
      answer: 'Health',
      handle: () => health(daemon.isHealthy()),
    },
    {
      method: 'GET',
      path: '/readyz',
      summary: 'whether it forwards what is recorded',
      answer: 'Health',
      handle: () => health(daemon.isHealthy() && daemon.status().ready, daemon.degraded()),
    },
  ];
}
