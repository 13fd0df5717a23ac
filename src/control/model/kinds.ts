/**
 * The kinds of resources, and where the API keeps them.
 */

import type { Resource } from '../api/types.js';
import { invalid, PodwireError } from '../errors.js';
import { NAME, NAMESPACE } from './meta.js';
import { textChecker } from './schema.js';

export interface KindInfo {
  readonly kind: Resource['kind'];
  readonly apiVersion: string;
  /** As in `/v1/pods`. */
  readonly plural: string;
  readonly namespaced: boolean;
  /** What people type. */
  readonly words: readonly string[];
}

export const KINDS: readonly KindInfo[] = [
  {
    kind: 'Network',
    apiVersion: 'podwire.dev/v1',
    plural: 'networks',
    namespaced: false,
    words: ['network', 'networks', 'net'],
  },
  {
    kind: 'Node',
    apiVersion: 'podwire.dev/v1',
    plural: 'nodes',
    namespaced: false,
    words: ['node', 'nodes', 'no'],
  },
  {
    kind: 'Impairment',
    apiVersion: 'podwire.dev/v1',
    plural: 'impairments',
    namespaced: false,
    words: ['impairment', 'impairments', 'imp'],
  },
  { kind: 'Pod', apiVersion: 'v1', plural: 'pods', namespaced: true, words: ['pod', 'pods', 'po'] },
  {
    kind: 'Service',
    apiVersion: 'v1',
    plural: 'services',
    namespaced: true,
    words: ['service', 'services', 'svc'],
  },
  {
    kind: 'EndpointSlice',
    apiVersion: 'discovery.k8s.io/v1',
    plural: 'endpointslices',
    namespaced: true,
    words: ['endpointslice', 'endpointslices'],
  },
  {
    kind: 'Namespace',
    apiVersion: 'v1',
    plural: 'namespaces',
    namespaced: false,
    words: ['namespace', 'namespaces', 'ns'],
  },
  {
    kind: 'NetworkPolicy',
    apiVersion: 'networking.k8s.io/v1',
    plural: 'networkpolicies',
    namespaced: true,
    words: ['networkpolicy', 'networkpolicies', 'netpol'],
  },
  {
    kind: 'AdminNetworkPolicy',
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    plural: 'adminnetworkpolicies',
    namespaced: false,
    words: ['adminnetworkpolicy', 'adminnetworkpolicies', 'anp'],
  },
  {
    kind: 'BaselineAdminNetworkPolicy',
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    plural: 'baselineadminnetworkpolicies',
    namespaced: false,
    words: ['baselineadminnetworkpolicy', 'baselineadminnetworkpolicies', 'banp'],
  },
];

export const DEFAULT_NAMESPACE = 'default';

/** Checks a name given in a path or on the command line. @throws PodwireError INVALID */
export const resourceName = textChecker(NAME, 'metadata.name');

const RESOURCE_NAME = new RegExp(NAME.pattern);

export function isResourceName(text: string): boolean {
  return RESOURCE_NAME.test(text);
}

/** @throws PodwireError INVALID */
export const namespaceName = textChecker(NAMESPACE, 'metadata.namespace');

/** The path for `get KIND`: '/v1/pods'. @throws PodwireError INVALID */
export function kindPath(word: string): string {
  const lower = word.toLowerCase();
  const info = KINDS.find(({ words }) => words.includes(lower));
  if (info) return `/v1/${info.plural}`;
  throw invalid('kind', `'${word}' is no kind of podwire's; it has ${known()}`);
}

function known(): string {
  const plurals = KINDS.map(({ plural }) => plural);
  return `${plurals.slice(0, -1).join(', ')} and ${plurals.at(-1)}`;
}

export interface ResourcePath {
  /** '/v1/pods/default/web' */
  readonly path: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

/**
 * Where a manifest belongs. Checks apiVersion, kind and names, not the rest.
 * @throws PodwireError INVALID, UNSUPPORTED
 */
export function resourcePath(document: unknown): ResourcePath {
  const { apiVersion, kind, metadata } = asRecord(document, 'the document');
  const info = kindInfo(kind, apiVersion);
  const meta = asRecord(metadata, 'metadata');
  if (typeof meta.name !== 'string') throw invalid('metadata.name', 'is missing');
  const name = resourceName(meta.name);
  if (!info.namespaced) return { path: `/v1/${info.plural}/${name}`, kind: info.kind, name };
  const namespace = namespaceName(String(meta.namespace ?? DEFAULT_NAMESPACE));
  return { path: `/v1/${info.plural}/${namespace}/${name}`, kind: info.kind, name, namespace };
}

function kindInfo(kind: unknown, apiVersion: unknown): KindInfo {
  if (typeof kind !== 'string') throw invalid('kind', 'is missing');
  if (typeof apiVersion !== 'string') throw invalid('apiVersion', 'is missing');
  const info = KINDS.find((candidate) => candidate.kind === kind);
  if (!info) {
    throw new PodwireError(
      'UNSUPPORTED',
      `kind: ${apiVersion} ${kind} is not supported; only ${known()} are`,
      'kind',
    );
  }
  if (info.apiVersion === apiVersion) return info;
  throw invalid('apiVersion', `${kind} is of ${info.apiVersion}, not ${apiVersion}`);
}

function asRecord(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw invalid(what, value === undefined ? 'is missing' : 'must be an object');
}
