/**
 * Which families a Service has, as Kubernetes' API server finds it (pkg/registry/core/service/storage/alloc.go): from
 * its addresses, from what it says, from its policy, and last from the cluster, whose first prefix is the default.
 */
import { familyOf } from '../cidr.js';
import { invalid } from '../errors.js';
import { hasSelector } from '../model/service-rules.js';
import {
  HEADLESS,
  IP_FAMILIES,
  type IpFamily,
  type IpFamilyPolicy,
  type Service,
  type ServiceSpec,
} from './types.js';

export interface Families {
  readonly ipFamilies: IpFamily[];
  readonly ipFamilyPolicy: IpFamilyPolicy;
}

/** @param known of the cluster, the default first. @throws PodwireError INVALID naming the field */
export function chooseFamilies({ spec }: Service, known: readonly IpFamily[]): Families {
  const isHeadless = spec.clusterIPs?.[0] === HEADLESS;
  // Such a service is a name for addresses that somebody else writes: they may be of families the cluster has not.
  if (isHeadless && !hasSelector(spec.selector)) return ofForeignEndpoints(spec, known);
  const { ipFamilyPolicy = 'SingleStack' } = spec;
  const given = givenFamilies(spec);
  given.forEach((family, index) => {
    if (!known.includes(family))
      throw invalid(`spec.ipFamilies[${index}]`, `this cluster has no ${family} services`);
  });
  const all = [...new Set([...given, ...known])];
  if (ipFamilyPolicy === 'RequireDualStack' && all.length < 2) {
    throw invalid('spec.ipFamilyPolicy', 'this cluster has services of one family only (--service-cidr)');
  }
  return { ipFamilyPolicy, ipFamilies: all.slice(0, ipFamilyPolicy === 'SingleStack' ? 1 : 2) };
}

function ofForeignEndpoints(spec: ServiceSpec, known: readonly IpFamily[]): Families {
  const { ipFamilyPolicy = 'RequireDualStack', ipFamilies = [] } = spec;
  const all = [...new Set([...ipFamilies, ...known, ...IP_FAMILIES])];
  return { ipFamilyPolicy, ipFamilies: all.slice(0, ipFamilyPolicy === 'SingleStack' ? 1 : 2) };
}

function givenFamilies({ ipFamilies = [], clusterIPs = [] }: ServiceSpec): IpFamily[] {
  const ofIps = clusterIPs.filter((ip) => ip !== HEADLESS).map((ip) => `IPv${familyOf(ip)}` as const);
  return [...new Set([...ipFamilies, ...ofIps])];
}
