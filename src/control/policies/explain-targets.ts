/**
 * What is sent to, after the translation of services: one destination, or the backends that a new connection may be given.
 * As the data plane chooses (services/service-table.ts): by address, port and protocol, and by whose backends the client gets.
 */
import {
  type BackendSpec,
  type FrontendSpec,
  NODE_FRONTEND,
  type ServiceSpec,
} from '../../dataplane/service-spec.js';
import type { ExplainProtocol, ExplainRequest, ExplainService } from '../api/explain-types.js';
import { familyOf } from '../cidr.js';
import { invalid } from '../errors.js';
import { isHeadless, keyOf, type Service, type ServicePort } from '../services/types.js';
import { type End, type Named, whoHas } from './explain-ends.js';
import type { ExplainWorld } from './explain-world.js';

export interface Target {
  /** Any of them. */
  readonly ends: readonly End[];
  readonly port: number | undefined;
}

export interface Targets {
  readonly protocol: ExplainProtocol;
  /** As asked for; undefined: every port, or none. */
  readonly port: number | undefined;
  readonly service: ExplainService | null;
  readonly targets: readonly Target[];
}

type Asked = Pick<ExplainRequest, 'protocol' | 'port' | 'family'>;

/** Of a service with more backends the first ones are explained. */
const MOST_TARGETS = 100;

/** @param isInside who asks is a pod or node of the cluster. @throws PodwireError INVALID */
export function targetsOf(to: Named, asked: Asked, isInside: boolean, world: ExplainWorld): Targets {
  if (to.kind === 'service') return ofService(world.service(to.key)!, asked, isInside, world);
  const found = frontendAt(to.ends[0], asked, world);
  if (found) return translated(found.spec, found.frontend, isInside, world);
  const { protocol = asked.port === undefined ? 'icmp' : 'tcp', port } = asked;
  if (protocol === 'icmp' && port !== undefined) throw invalid('port', 'icmp has no ports');
  return { protocol, port, service: null, targets: [{ ends: to.ends, port }] };
}

function ofService(service: Service, asked: Asked, isInside: boolean, world: ExplainWorld): Targets {
  const key = keyOf(service);
  const { type, externalName, clusterIP } = service.spec;
  if (type === 'ExternalName')
    throw invalid('to', `service ${key} is another name for ${externalName}: ask about that`);
  const port = portOf(service, asked);
  if (isHeadless(service)) return headless(key, port, asked, world);
  const name = `${key}:${port.name ?? port.port}`;
  const specs = [...world.services].filter((one) => one.name.replace(/\/IPv[46]$/, '') === name);
  const spec = specs.find(({ family }) => family === (asked.family ?? specs[0].family));
  const frontend = spec?.frontends.find(({ address }) => address !== NODE_FRONTEND);
  if (spec && frontend) return translated(spec, frontend, isInside, world);
  const missing = asked.family === undefined ? (clusterIP ?? 'an address') : `an ${asked.family} address`;
  throw invalid('to', `service ${key} has not got ${missing} in force here`);
}

function portOf({ spec: { ports = [] }, ...service }: Service, { protocol, port }: Asked): ServicePort {
  const found = ports.filter(
    (one) =>
      (port === undefined || one.port === port) &&
      (protocol === undefined || one.protocol.toLowerCase() === protocol),
  );
  if (found.length === 1) return found[0];
  const all = ports.map((one) => `${one.port}/${one.protocol}`).join(', ') || 'none';
  const key = keyOf(service);
  if (found.length > 1) throw invalid('port', `service ${key} has several: say which of ${all}`);
  const wanted = [port, protocol].filter((one) => one !== undefined).join('/');
  throw invalid('port', `service ${key} has no port ${wanted}; it has ${all}`);
}

/** Names of a headless service stand for the pods themselves. */
function headless(key: string, port: ServicePort, { family }: Asked, world: ExplainWorld): Targets {
  const targets = world.endpointSlices(key).flatMap((slice) => {
    if (family !== undefined && slice.addressType !== family) return [];
    const number = slice.ports.find(
      ({ name, protocol }) => name === (port.name ?? '') && protocol === port.protocol,
    )?.port;
    const ready = slice.endpoints.filter(({ conditions }) => conditions.ready);
    return ready.map(({ addresses }) => ({ ends: [whoHas(addresses[0], world)], port: number ?? port.port }));
  });
  const service = {
    name: `${key}:${port.name ?? port.port}`,
    port: port.port,
    backends: targets.length,
    otherBackends: 0,
  };
  const protocol = port.protocol.toLowerCase() as ExplainProtocol;
  return { protocol, port: port.port, service, targets: targets.slice(0, MOST_TARGETS) };
}

interface Found {
  readonly spec: ServiceSpec;
  readonly frontend: FrontendSpec;
}

/**
 * Where nothing is at the port that was asked for, the address is as any other. Without a port it is a service's where it is
 * nobody else's: who asks about a gateway or a node, asks about that.
 */
function frontendAt(end: End, { protocol, port }: Asked, world: ExplainWorld): Found | undefined {
  if (port === undefined && end.kind !== 'cluster' && end.kind !== 'outside') return undefined;
  const all = [...world.services].flatMap((spec) => frontendsAt(end, spec, world));
  const found = all.filter(
    ({ spec, frontend }) =>
      (port === undefined || frontend.port === port) &&
      (protocol === undefined || spec.protocol.toLowerCase() === protocol),
  );
  if (found.length <= 1) return found[0];
  // As without --proto elsewhere.
  if (port !== undefined) return found.find(({ spec }) => spec.protocol === 'TCP') ?? found[0];
  const ports = found.map(({ spec, frontend }) => `${frontend.port}/${spec.protocol}`).join(', ');
  throw invalid('port', `several services are at ${end.address}: say which of ${ports}`);
}

function frontendsAt(end: End, spec: ServiceSpec, world: ExplainWorld): Found[] {
  if (spec.family !== `IPv${familyOf(end.address)}`) return [];
  const isNodes = end.kind === 'node' && (end.node === world.node || spec.isOwn !== true);
  return spec.frontends
    .filter(({ address }) => address === end.address || (isNodes && address === NODE_FRONTEND))
    .map((frontend) => ({ spec, frontend }));
}

function translated(
  { name, protocol, backends }: ServiceSpec,
  { address, port, scope }: FrontendSpec,
  isInside: boolean,
  world: ExplainWorld,
): Targets {
  const isLocal = scope === 'local' || (scope === 'split' && !isInside);
  const chosen = backends.filter((one) => isActive(one, isLocal));
  return {
    protocol: protocol.toLowerCase() as ExplainProtocol,
    port,
    service: {
      name: name.replace(/\/IPv[46]$/, ''),
      address: address === NODE_FRONTEND ? 'every address of the node' : address,
      port,
      backends: chosen.length,
      otherBackends: backends.length - chosen.length,
    },
    targets: chosen
      .slice(0, MOST_TARGETS)
      .map((backend) => ({ ends: [whoHas(backend.address, world)], port: backend.port })),
  };
}

function isActive({ cluster, node }: BackendSpec, isLocal: boolean): boolean {
  return (isLocal ? node : cluster) === 'active';
}
