/** `podwire get KIND [NAME]`: resources as they are stored, with their status. */
import { Command } from 'commander';
import type {
  AdminNetworkPolicy,
  BaselineAdminNetworkPolicy,
  EndpointSlice,
  Impairment,
  Namespace,
  Network,
  NetworkPolicy,
  Node,
  Pod,
  Resource,
  ResourceList,
  Service,
} from '../../control/api/types.js';
import { KINDS, kindPath } from '../../control/model/kinds.js';
import {
  clientFor,
  type OutputFormat,
  outputFormat,
  printJson,
  printListing,
  printYaml,
} from '../context.js';
import { asUsage, usage } from '../errors.js';
import { ADMIN_POLICY_COLUMNS, BASELINE_COLUMNS, NETWORK_POLICY_COLUMNS } from '../output/policies.js';
import {
  IMPAIRMENT_COLUMNS,
  NETWORK_COLUMNS,
  NODE_COLUMNS,
  POD_COLUMNS,
  podRows,
} from '../output/resources.js';
import { NAMESPACE_COLUMNS, SERVICE_COLUMNS, SLICE_COLUMNS } from '../output/service-resources.js';
import type { Column } from '../output/table.js';
import { segment } from '../paths.js';
import { ENV, getEnv } from './get-env.js';
import { getResolvConf, RESOLVCONF } from './get-resolvconf.js';

export const KIND_HELP =
  'network, node, pod, impairment, service, endpointslice, namespace, networkpolicy, adminnetworkpolicy or baselineadminnetworkpolicy; also in the plural, or short: net, no, po, imp, svc, ns, netpol, anp, banp';

interface GetOptions {
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
}

export function getCommand(): Command {
  return new Command('get')
    .description(`resources: ${KINDS.map(({ plural }) => plural).join(', ')}`)
    .argument('<KIND>', KIND_HELP)
    .argument('[NAME]', 'one of them')
    .option('-n, --namespace <NAMESPACE>', 'namespace of what is in namespaces (default: default)')
    .option('-A, --all-namespaces', 'of all namespaces')
    .action(async (word: string, name: string | undefined, options: GetOptions, self: Command) => {
      if (word === ENV) return getEnv(name, options.namespace, self);
      if (word === RESOLVCONF) return getResolvConf(name, options.namespace, self);
      const format = outputFormat(self, ['table', 'json', 'wide', 'yaml']);
      const request = requestFor(kindOf(word), name, options);
      const answer = await clientFor(self).get<Resource | ResourceList>(request.path);
      if (format === 'json') printJson(answer);
      else if (format === 'yaml') printYaml(answer);
      else printResources(format, answer, request);
    })
    .addHelpText(
      'after',
      '\nenv [POD]         services of the namespace as environment variables\nresolvconf POD    what belongs into the resolv.conf of a pod',
    );
}

/** The kind's name in paths: `networks`, `pods`. Another word is a wrong command line. */
export function kindOf(word: string): string {
  try {
    return kindPath(word).replace('/v1/', '');
  } catch (error) {
    throw asUsage(error);
  }
}

interface Request {
  readonly kind: string;
  readonly path: string;
  readonly none: string;
}

export function requestFor(kind: string, name: string | undefined, options: GetOptions): Request {
  const { namespaced, kind: word } = KINDS.find(({ plural }) => plural === kind) ?? {};
  if (!namespaced) return clusterRequest(kind, name, options);
  if (options.allNamespaces) {
    const what = word?.toLowerCase();
    if (name !== undefined) {
      throw usage(`${articleOf(what)} ${what} is named within one namespace: use -n instead of -A`);
    }
    return { kind, path: `/v1/${kind}`, none: `no ${kind}` };
  }
  const namespace = options.namespace ?? 'default';
  const inPath = segment(namespace, '--namespace');
  if (name !== undefined) {
    return { kind, path: `/v1/${kind}/${inPath}/${segment(name, 'NAME')}`, none: '' };
  }
  const none = `no ${kind} in namespace ${namespace} (-A shows all namespaces)`;
  return { kind, path: `/v1/${kind}?namespace=${inPath}`, none };
}

function articleOf(word: string | undefined): string {
  return /^[aeiou]/.test(word ?? '') ? 'an' : 'a';
}

/** Of kinds that are not in namespaces. */
function clusterRequest(kind: string, name: string | undefined, options: GetOptions): Request {
  if (options.namespace !== undefined || options.allNamespaces) {
    throw usage(`${kind} are not in namespaces: leave ${options.allNamespaces ? '-A' : '-n'} out`);
  }
  const path = name === undefined ? `/v1/${kind}` : `/v1/${kind}/${segment(name, 'NAME')}`;
  return { kind, path, none: `no ${kind}` };
}

function printResources(
  format: OutputFormat,
  answer: Resource | ResourceList,
  { kind, none }: Request,
): void {
  const rows = 'items' in answer ? answer.items : [answer];
  if (kind === 'pods') list(podRows(rows as Pod[]), POD_COLUMNS);
  else if (kind === 'nodes') list<Node>(rows as Node[], NODE_COLUMNS);
  else if (kind === 'services') list<Service>(rows as Service[], SERVICE_COLUMNS);
  else if (kind === 'endpointslices') list<EndpointSlice>(rows as EndpointSlice[], SLICE_COLUMNS);
  else if (kind === 'namespaces') list<Namespace>(rows as Namespace[], NAMESPACE_COLUMNS);
  else if (kind === 'impairments') list<Impairment>(rows as Impairment[], IMPAIRMENT_COLUMNS);
  else if (kind === 'networkpolicies') list<NetworkPolicy>(rows as NetworkPolicy[], NETWORK_POLICY_COLUMNS);
  else if (kind === 'adminnetworkpolicies')
    list<AdminNetworkPolicy>(rows as AdminNetworkPolicy[], ADMIN_POLICY_COLUMNS);
  else if (kind === 'baselineadminnetworkpolicies')
    list<BaselineAdminNetworkPolicy>(rows as BaselineAdminNetworkPolicy[], BASELINE_COLUMNS);
  else list<Network>(rows as Network[], NETWORK_COLUMNS);

  function list<T>(typed: readonly T[], columns: readonly Column<T>[]): void {
    printListing(format, { answer, rows: typed, columns, none });
  }
}
