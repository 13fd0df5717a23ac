/**
 * What is asked of published ports, in the words of Kubernetes and CNI, and which of them a pod's manifest asks for.
 *
 * A host address is one of the node's. 0.0.0.0 is all of IPv4 and :: all of IPv6, as with docker; without an address it is all
 * of both. ::1 is refused: the kernel sends nothing from there to another interface (for 127.0.0.1 it can be told to).
 */
import { AddressError, parseIp } from '../../wire/address.js';
import type {
  PortChoice,
  PublishedPort,
  PublishRequest,
  PublishWish,
  UnpublishRequest,
} from '../api/publish-types.js';
import type { Pod } from '../api/types.js';
import { canonicalIp } from '../cidr.js';
import { invalid, unsupported } from '../errors.js';
import { PROTOCOLS } from '../services/types.js';
import { checker, closed, type Schema } from './schema.js';
import { PORT } from './service-ports.js';

/** In one request; of a pod there may be more. */
const MOST_PORTS = 4096;

const FIELDS = {
  containerPort: PORT,
  hostPort: PORT,
  hostIP: { type: 'string' },
  protocol: { type: 'string', enum: PROTOCOLS },
};

export const PUBLISH_LIST: Schema = {
  type: 'array',
  maxItems: MOST_PORTS,
  items: closed(FIELDS, ['containerPort']),
};

export function publishSchema(ifname: Schema): Schema {
  return closed({ ifname, ports: { ...PUBLISH_LIST, minItems: 1 } }, ['ports']);
}

export const UNPUBLISH_SCHEMA: Schema = closed({
  ports: { type: 'array', minItems: 1, maxItems: MOST_PORTS, items: closed(FIELDS) },
});

/** CNI's portMappings, where a host port of 0 is none (the portmap plugin passes over such entries). */
export const PORT_MAPPINGS: Schema = {
  type: 'array',
  maxItems: MOST_PORTS,
  items: closed({ ...FIELDS, hostPort: { ...PORT, minimum: 0 } }, ['containerPort']),
};

/** A wish with everything that can be said without looking at the node. */
export type FullWish = Omit<PublishedPort, 'hostPort'> & Pick<PublishWish, 'hostPort'>;

const check = checker<UnpublishRequest>(UNPUBLISH_SCHEMA);

export type FullPublishRequest = Omit<PublishRequest, 'ports'> & { readonly ports: readonly FullWish[] };

/** @throws PodwireError INVALID, UNSUPPORTED naming the field */
export function publishParser(ifname: Schema): (body: unknown) => FullPublishRequest {
  const checkRequest = checker<PublishRequest>(publishSchema(ifname));
  return (body) => {
    const { ports, ...rest } = checkRequest(body);
    return { ...rest, ports: fullWishes('ports', ports) };
  };
}

/** @throws PodwireError INVALID naming the field */
export function parseUnpublish(body: unknown): UnpublishRequest {
  const { ports } = check(body);
  return ports ? { ports: ports.map((port, index) => fullChoice(`ports[${index}]`, port)) } : {};
}

/** In their normal form, none twice. @throws PodwireError INVALID, UNSUPPORTED naming the field */
export function fullWishes(field: string, wishes: readonly PublishWish[]): FullWish[] {
  const full = wishes.map((wish, index) => fullWish(`${field}[${index}]`, wish));
  const seen = new Set<string>();
  full.forEach((wish, index) => {
    const text = JSON.stringify(wish);
    if (wish.hostPort !== undefined && seen.has(text)) throw invalid(`${field}[${index}]`, 'is there twice');
    seen.add(text);
  });
  return full;
}

function fullWish(field: string, { containerPort, hostPort, hostIP = '', protocol }: PublishWish): FullWish {
  const address = hostIP === '' ? undefined : hostAddress(`${field}.hostIP`, hostIP);
  return {
    containerPort,
    ...(hostPort !== undefined && { hostPort }),
    ...(address !== undefined && { hostIP: address }),
    protocol: protocol ?? 'TCP',
  };
}

function fullChoice(field: string, { hostIP, ...rest }: PortChoice): PortChoice {
  return { ...rest, ...(hostIP !== undefined && { hostIP: hostAddress(`${field}.hostIP`, hostIP) }) };
}

function hostAddress(field: string, text: string): string {
  try {
    parseIp(text);
  } catch (error) {
    if (error instanceof AddressError) throw invalid(field, error.message);
    throw error;
  }
  const address = canonicalIp(text);
  if (address !== '::1') return address;
  throw unsupported(field, 'the kernel keeps what is sent to ::1 to itself; 127.0.0.1 can be published at');
}

interface ContainerPort {
  containerPort?: number;
  hostPort?: number;
  hostIP?: string;
  protocol?: PublishWish['protocol'];
}

/** What a pod's manifest asks for. @throws PodwireError INVALID, UNSUPPORTED naming the field */
export function hostPortsOf({ spec = {} }: Pod): PublishedPort[] {
  const found = new Map<string, PublishedPort>();
  for (const list of ['containers', 'initContainers', 'ephemeralContainers']) {
    const containers = (spec[list] ?? []) as { ports?: ContainerPort[] }[];
    containers.forEach(({ ports = [] }, index) => {
      ports.forEach((port, at) => {
        const published = hostPortOf(`spec.${list}[${index}].ports[${at}]`, port);
        if (published) found.set(JSON.stringify(published), published);
      });
    });
  }
  return [...found.values()];
}

function hostPortOf(field: string, port: ContainerPort): PublishedPort | undefined {
  const { containerPort, hostPort = 0, hostIP, protocol } = port;
  if (hostPort === 0) return undefined;
  if (containerPort === undefined) throw invalid(`${field}.containerPort`, 'is missing');
  return { ...fullWish(field, { containerPort, hostPort, hostIP, protocol }), hostPort };
}

/** Whether the port has all that is said. */
export function isChosen(port: PublishedPort, choice: PortChoice): boolean {
  const { containerPort, hostPort, hostIP, protocol } = choice;
  return (
    (containerPort ?? port.containerPort) === port.containerPort &&
    (hostPort ?? port.hostPort) === port.hostPort &&
    (hostIP ?? port.hostIP) === port.hostIP &&
    (protocol ?? port.protocol) === port.protocol
  );
}

/** `127.0.0.1:8080/tcp`, and without an address `8080/tcp`. */
export function hostName({ hostIP, hostPort, protocol }: PublishedPort): string {
  return `${addressPart(hostIP)}${hostPort}/${protocol.toLowerCase()}`;
}

/** As `podwire unpublish` is given it: `8080`, `8080/udp`, `127.0.0.1:8080:80`; without numbers `port`. */
export function choiceName({ hostIP, hostPort, containerPort, protocol }: PortChoice): string {
  const inside = containerPort === undefined ? '' : `:${containerPort}`;
  const port = `${addressPart(hostIP)}${hostPort ?? ''}${inside}` || 'port';
  return protocol === undefined ? port : `${port}/${protocol.toLowerCase()}`;
}

function addressPart(hostIP: string | undefined): string {
  if (hostIP === undefined) return '';
  return hostIP.includes(':') ? `[${hostIP}]:` : `${hostIP}:`;
}
