/**
 * Documents as the API would take them, of every kind: for what only asks what would be. What is refused is refused as a PUT would, with
 * the field's name; a message says which document it is, where there are several.
 */
import type { Resource } from '../api/types.js';
import { asPodwireError, invalid, PodwireError } from '../errors.js';
import { parseAdminPolicy, parseBaselinePolicy } from '../model/admin-policy.js';
import { parseEndpointSlice } from '../model/endpoint-slice.js';
import { parseImpairment } from '../model/impairment.js';
import { DEFAULT_NAMESPACE, resourcePath } from '../model/kinds.js';
import { parseNamespace } from '../model/namespace.js';
import { parseNetwork } from '../model/network.js';
import { parseNetworkPolicy } from '../model/network-policy.js';
import { parseNode } from '../model/node.js';
import { parsePod } from '../model/pod.js';
import { parseService } from '../model/service.js';

const PARSERS: { [K in Resource['kind']]: (value: unknown) => Extract<Resource, { kind: K }> } = {
  AdminNetworkPolicy: parseAdminPolicy,
  BaselineAdminNetworkPolicy: parseBaselinePolicy,
  EndpointSlice: parseEndpointSlice,
  Impairment: parseImpairment,
  Namespace: parseNamespace,
  Network: parseNetwork,
  NetworkPolicy: parseNetworkPolicy,
  Node: parseNode,
  Pod: parsePod,
  Service: parseService,
};

/** Of one document; its metadata have the namespace that it is in. @throws PodwireError INVALID, UNSUPPORTED */
export function parseDocument(value: unknown): Resource {
  const { kind, namespace } = resourcePath(value);
  const resource = PARSERS[kind as Resource['kind']](value);
  if (namespace === undefined) return resource;
  return { ...resource, metadata: { ...resource.metadata, namespace } } as Resource;
}

/** @param field that they are in, for messages. @throws PodwireError INVALID, UNSUPPORTED */
export function parseDocuments(values: unknown, field: string): Resource[] {
  if (!Array.isArray(values)) throw invalid(field, 'must be an array of resources');
  return values.map((value, index) => {
    try {
      return parseDocument(value);
    } catch (error) {
      throw placed(asPodwireError(error), `${field}[${index}]`, value);
    }
  });
}

function placed(error: PodwireError, place: string, value: unknown): PodwireError {
  const name = nameOf(value);
  const message = `${name === undefined ? place : `${place}, ${name}`}: ${error.message}`;
  return new PodwireError(error.code, message, error.field && `${place}.${error.field}`, error);
}

/** `NetworkPolicy default/web`, as far as it says. */
function nameOf(value: unknown): string | undefined {
  const { kind, metadata } = (value ?? {}) as Partial<Resource>;
  if (typeof kind !== 'string' || typeof metadata?.name !== 'string') return undefined;
  return typeof metadata.namespace === 'string'
    ? `${kind} ${metadata.namespace}/${metadata.name}`
    : `${kind} ${metadata.name}`;
}

/** `NAMESPACE/NAME`, or the name of what is in no namespace. */
export function keyOfResource({ kind, metadata }: Pick<Resource, 'kind' | 'metadata'>): string {
  const { name, namespace = DEFAULT_NAMESPACE } = metadata;
  return NAMESPACED.has(kind) ? `${namespace}/${name}` : name;
}

const NAMESPACED: ReadonlySet<Resource['kind']> = new Set([
  'EndpointSlice',
  'NetworkPolicy',
  'Pod',
  'Service',
]);
