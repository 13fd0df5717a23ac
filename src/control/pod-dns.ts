/**
 * What a pod's resolv.conf says: podwire's own server at the pod's gateway, and the search path that Kubernetes gives
 * (policy ClusterFirst). A pod's `dnsPolicy` and `dnsConfig` change it as they do there (pkg/kubelet/network/dns/dns.go).
 */
import type { Pod, PodDns } from './api/types.js';
import { type ResolvConf, readResolvConf } from './dns/resolv.js';

/** The C library reads no more (resolv.conf(5)). */
const MOST_NAMESERVERS = 3;
/** So that `web.shop` is tried as a service before it is asked of the world. */
const NDOTS = 'ndots:5';

interface DnsConfig {
  readonly nameservers?: readonly string[];
  readonly searches?: readonly string[];
  readonly options?: readonly { readonly name?: string; readonly value?: string }[];
}

export interface PodDnsParts {
  readonly domain: string;
  /** Of the host: what pods of policy Default get. */
  readonly resolvConf: string;
}

/** @param gateways of the pod's network, podwire's own. Answers undefined where nothing is known that the pod could ask. */
export function podDns(
  { domain, resolvConf }: PodDnsParts,
  namespace: string,
  gateways: readonly string[],
  spec: Pod['spec'] = {},
): PodDns | undefined {
  const { dnsPolicy = 'ClusterFirst' } = spec;
  const base =
    dnsPolicy === 'None'
      ? EMPTY
      : dnsPolicy === 'Default'
        ? readResolvConf(resolvConf)
        : clusterFirst(domain, namespace, gateways);
  const dns = configured(base, (spec.dnsConfig ?? {}) as DnsConfig);
  return dns.nameservers.length === 0 ? undefined : dns;
}

const EMPTY: ResolvConf = { nameservers: [], search: [], options: [] };

function clusterFirst(domain: string, namespace: string, gateways: readonly string[]): ResolvConf {
  const search = [`${namespace}.svc.${domain}`, `svc.${domain}`, domain];
  return { nameservers: gateways, search, options: [NDOTS] };
}

/** An option of the pod's own counts in place of one of the same name. */
function configured(base: ResolvConf, { nameservers = [], searches = [], options = [] }: DnsConfig): PodDns {
  const own = options.map(({ name = '', value }) => (value === undefined ? name : `${name}:${value}`));
  const isReplaced = (option: string) => own.some((other) => other.split(':')[0] === option.split(':')[0]);
  return {
    nameservers: [...new Set([...base.nameservers, ...nameservers])].slice(0, MOST_NAMESERVERS),
    search: [...new Set([...base.search, ...searches])],
    options: [
      ...base.options.filter((option) => !isReplaced(option)),
      ...own.filter((option) => option !== ''),
    ],
  };
}
