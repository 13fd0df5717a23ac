/** Names for pods: whether the daemon's DNS server listens, and whether anybody answers what it asks. */
import type { DnsStatus } from '../../control/api/types.js';
import { type Finding, ok, warning } from './finding.js';

export function dns(status: DnsStatus | null): Finding {
  if (!status) return ok('DNS', 'off: pods ask whom their resolv.conf names');
  const { domain, addresses, problem, upstreams } = status;
  if (problem !== null) return warning('DNS', problem, 'another try follows by itself; see the log');
  const names = upstreams.map(({ address, state }) => `${address} ${state}`);
  const found = `${domain} at ${addresses.join(', ')}; name servers: ${names.join(', ') || 'none'}`;
  if (upstreams.some(({ state }) => state === 'up')) return ok('DNS', found);
  return warning(
    'DNS',
    `${found}; pods find names of the cluster only`,
    'a name server that answers belongs into the file of --resolv-conf (/etc/resolv.conf)',
  );
}
