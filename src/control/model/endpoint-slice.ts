/**
 * `discovery.k8s.io/v1 EndpointSlice`: schema, checks that a schema cannot express, and its normal form, with the defaults
 * of Kubernetes' API server. Bounds are those of staging/src/k8s.io/api/discovery/v1/types.go.
 *
 * A slice of a Service carries its name as label `kubernetes.io/service-name` and lies in its namespace; others are kept
 * and lead nowhere. Addresses that are names (FQDN) are refused: a switch forwards to addresses.
 */
import { familyOf } from '../cidr.js';
import { invalid, unsupported } from '../errors.js';
import { type Endpoint, type EndpointSlice, type Hints, IP_FAMILIES, PROTOCOLS } from '../services/types.js';
import { parseServiceAddress } from './endpoint-address.js';
import { KUBERNETES_META, NAME } from './meta.js';
import { plainObject } from './nulls.js';
import { checker, closed, open, type Schema } from './schema.js';
import { APP_PROTOCOL, PORT, PORT_NAME } from './service-ports.js';

const MOST_ENDPOINTS = 1000;
const MOST_ADDRESSES = 100;
/** The same in Kubernetes: 20,000 for slices that controllers write. */
const MOST_PORTS = 20_000;
const MOST_HINTS = 8;

const NAMED: Schema = {
  type: 'array',
  maxItems: MOST_HINTS,
  items: closed({ name: { type: 'string', minLength: 1 } }, ['name']),
};

const ENDPOINT: Schema = closed(
  {
    addresses: { type: 'array', minItems: 1, maxItems: MOST_ADDRESSES, items: { type: 'string' } },
    conditions: closed({
      ready: { type: 'boolean' },
      serving: { type: 'boolean' },
      terminating: { type: 'boolean' },
    }),
    hostname: {
      type: 'string',
      pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$',
      description: 'a host name (RFC 1123 label)',
    },
    nodeName: NAME,
    zone: { type: 'string' },
    hints: closed({ forZones: NAMED, forNodes: NAMED }),
    targetRef: open({}),
    deprecatedTopology: { type: 'object', additionalProperties: { type: 'string' } },
  },
  ['addresses'],
);

export const ENDPOINT_SLICE_SCHEMA: Schema = closed(
  {
    apiVersion: { type: 'string', const: 'discovery.k8s.io/v1' },
    kind: { type: 'string', const: 'EndpointSlice' },
    metadata: KUBERNETES_META,
    addressType: { type: 'string', enum: [...IP_FAMILIES, 'FQDN'] },
    endpoints: { type: 'array', maxItems: MOST_ENDPOINTS, items: ENDPOINT },
    ports: {
      type: 'array',
      maxItems: MOST_PORTS,
      items: closed({
        name: { type: 'string' },
        protocol: { type: 'string', enum: PROTOCOLS },
        appProtocol: APP_PROTOCOL,
        port: PORT,
      }),
    },
  },
  ['apiVersion', 'kind', 'metadata', 'addressType'],
);

type GivenEndpoint = Omit<Endpoint, 'conditions'> & {
  conditions?: Partial<Endpoint['conditions']>;
};
type Given = Omit<EndpointSlice, 'addressType' | 'endpoints' | 'ports'> & {
  addressType: EndpointSlice['addressType'] | 'FQDN';
  endpoints?: GivenEndpoint[];
  ports?: Partial<EndpointSlice['ports'][number]>[];
};

const check = checker<Given>(ENDPOINT_SLICE_SCHEMA);

/**
 * An EndpointSlice as it is stored.
 * @throws PodwireError INVALID or UNSUPPORTED, naming the field
 */
export function parseEndpointSlice(value: unknown): EndpointSlice {
  const { apiVersion, kind, metadata, addressType, endpoints = [], ports = [] } = check(plainObject(value));
  if (addressType === 'FQDN') throw unsupported('addressType', 'endpoints that are names are not supported');
  return {
    apiVersion,
    kind,
    metadata,
    addressType,
    endpoints: endpoints.map((endpoint, index) => normalise(endpoint, addressType, `endpoints[${index}]`)),
    ports: normalPorts(ports),
  };
}

function normalise(given: GivenEndpoint, addressType: EndpointSlice['addressType'], field: string): Endpoint {
  const { addresses, conditions = {}, hostname, nodeName, zone, hints, targetRef } = given;
  return {
    addresses: addresses.map((text, index) => readAddress(`${field}.addresses[${index}]`, text, addressType)),
    conditions: withDefaults(conditions),
    ...(hostname !== undefined && { hostname }),
    ...(nodeName !== undefined && { nodeName }),
    ...(zone !== undefined && { zone }),
    ...(hints && { hints: checkHints(hints, `${field}.hints`) }),
    ...(targetRef && { targetRef }),
  };
}

/** What is not said is to be read so (types.go, EndpointConditions). */
function withDefaults({
  ready = true,
  serving = true,
  terminating = false,
}: Partial<Endpoint['conditions']>) {
  return { ready, serving, terminating };
}

function readAddress(field: string, text: string, addressType: EndpointSlice['addressType']): string {
  const address = parseServiceAddress(field, text);
  if (`IPv${familyOf(address)}` !== addressType) throw invalid(field, `${text} is no ${addressType} address`);
  return address;
}

function checkHints(hints: Hints, field: string): Hints {
  for (const kind of ['forZones', 'forNodes'] as const) {
    const names = (hints[kind] ?? []).map(({ name }) => name);
    const twice = names.findIndex((name, index) => names.indexOf(name) < index);
    if (twice >= 0) throw invalid(`${field}.${kind}[${twice}].name`, `${names[twice]} is given twice`);
  }
  return hints;
}

function normalPorts(given: NonNullable<Given['ports']>): EndpointSlice['ports'] {
  const ports = given.map(({ name = '', protocol = 'TCP' as const, ...rest }) => ({
    name,
    protocol,
    ...rest,
  }));
  const known = new Set<string>();
  ports.forEach(({ name }, index) => {
    const field = `ports[${index}].name`;
    if (name !== '' && !PORT_NAME.test(name)) throw invalid(field, `'${name}' is no name of a port`);
    if (known.has(name))
      throw invalid(field, name === '' ? 'two ports have no name' : `${name} is given twice`);
    known.add(name);
  });
  return ports;
}
