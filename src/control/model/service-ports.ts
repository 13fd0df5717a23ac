/**
 * Ports of a Service, as Kubernetes has them: names are DNS labels, all of several ports have one, and no two are the same
 * port of the same protocol. A targetPort is a number or the name of a container's port (RFC 6335 section 5.1).
 */
import { invalid } from '../errors.js';
import { PROTOCOLS, type ServicePort, type ServiceType } from '../services/types.js';
import { closed, type Schema } from './schema.js';

export const PORT: Schema = { type: 'integer', minimum: 1, maximum: 65_535 };

/** Kubernetes writes 0 for one that is to be chosen. */
const NODE_PORT: Schema = { type: 'integer', minimum: 0, maximum: 65_535 };

export const PORT_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** At most 15 characters, a letter among them, no two hyphens together, none at an end (RFC 6335 section 5.1). */
export const SERVICE_NAME = /^(?=.{1,15}$)(?=.*[a-z])[a-z0-9]+(-[a-z0-9]+)*$/;

export const APP_PROTOCOL: Schema = {
  type: 'string',
  pattern:
    '^(?=.{0,317}$)([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$',
  description: 'an application protocol such as http or kubernetes.io/h2c',
};

export const SERVICE_PORTS_SCHEMA: Schema = {
  type: 'array',
  maxItems: 1000,
  items: closed(
    {
      name: { type: 'string' },
      protocol: { type: 'string', enum: PROTOCOLS },
      appProtocol: APP_PROTOCOL,
      port: PORT,
      targetPort: { type: ['integer', 'string'] },
      nodePort: NODE_PORT,
    },
    ['port'],
  ),
};

export type GivenPort = Partial<ServicePort> & Pick<ServicePort, 'port'>;

/** With defaults. @throws PodwireError INVALID naming `spec.ports[i]…` */
export function normalPorts(given: readonly GivenPort[], type: ServiceType): ServicePort[] {
  const ports = given.map((port, index) => normalPort(port, `spec.ports[${index}]`, given.length > 1, type));
  refuseTwice(ports, 'name', ({ name }) => name);
  refuseTwice(ports, 'port', ({ protocol, port }) => `${port}/${protocol}`);
  refuseTwice(ports, 'nodePort', ({ protocol, nodePort }) => nodePort && `${nodePort}/${protocol}`);
  return ports;
}

function normalPort(given: GivenPort, field: string, isNamed: boolean, type: ServiceType): ServicePort {
  const { name = '', protocol = 'TCP', appProtocol, port, nodePort = 0 } = given;
  if (isNamed && name === '') throw invalid(`${field}.name`, 'is missing: each of several ports has a name');
  if (name !== '' && !PORT_NAME.test(name)) throw invalid(`${field}.name`, `'${name}' is no name of a port`);
  if (nodePort !== 0 && type !== 'NodePort' && type !== 'LoadBalancer') {
    throw invalid(`${field}.nodePort`, `belongs to type NodePort or LoadBalancer, not ${type}`);
  }
  return {
    ...(name !== '' && { name }),
    protocol,
    ...(appProtocol !== undefined && { appProtocol }),
    port,
    targetPort: readTarget(`${field}.targetPort`, given),
    ...(nodePort !== 0 && { nodePort }),
  };
}

/** 0 and an empty text are what Go writes for a field left out. */
function readTarget(field: string, { port, targetPort }: GivenPort): number | string {
  if (targetPort === undefined || targetPort === 0 || targetPort === '') return port;
  if (typeof targetPort === 'string') {
    if (SERVICE_NAME.test(targetPort)) return targetPort;
    throw invalid(field, `'${targetPort}' is neither a number nor a name of a port`);
  }
  if (targetPort >= 1 && targetPort <= 65_535) return targetPort;
  throw invalid(field, `must be from 1 to 65535, not ${targetPort}`);
}

function refuseTwice(
  ports: readonly ServicePort[],
  field: keyof ServicePort,
  keyOf: (port: ServicePort) => string | number | undefined,
): void {
  const known = new Map<string | number, number>();
  ports.forEach((port, index) => {
    const key = keyOf(port);
    if (key === undefined || key === 0) return;
    const other = known.get(key);
    if (other !== undefined) {
      throw invalid(`spec.ports[${index}].${field}`, `${key} is that of spec.ports[${other}] too`);
    }
    known.set(key, index);
  });
}
