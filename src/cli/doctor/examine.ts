/** Everything that the doctor looks at, in the order of its report. */
import type { ApiClient } from '../client.js';
import { type ClusterQuestion, cluster } from './cluster.js';
import { type CniPlaces, cni } from './cni.js';
import { askDaemon, daemon, mtu } from './daemon.js';
import { dns } from './dns.js';
import { type Finding, failed } from './finding.js';
import { forwardPolicy, hostRules } from './host-rules.js';
import { ioUring, iproute2, kernel, kernelCalls, nodeVersion, privileges, tunDevice } from './machine.js';
import { ipv6, overlappingRoutes, reversePathFilter } from './network.js';
import { tapOffloads } from './tap.js';

/** @param clusterCidrs and question: what a daemon here would use; one that runs says itself. */
export async function examine(
  client: ApiClient,
  clusterCidrs: readonly string[],
  question: ClusterQuestion,
  places: CniPlaces,
): Promise<Finding[]> {
  const findings = [nodeVersion(), kernel(), kernelCalls(), privileges(), iproute2(), tunDevice()];
  if (kernelCalls().state === 'ok') {
    findings.push(attempt('TAP offloads', tapOffloads), attempt('io_uring', ioUring));
  }
  const answer = await askDaemon(client);
  const status = 'node' in answer ? answer : undefined;
  findings.push(ipv6(), reversePathFilter(), overlappingRoutes(status?.clusterCIDRs ?? clusterCidrs));
  findings.push(hostRules(status), attempt('firewall', forwardPolicy));
  findings.push(
    ...(status === undefined ? [answer as Finding] : [daemon(status), mtu(status), dns(status.dns)]),
  );
  const others = [
    await attemptAll('cluster', () => cluster(client, status, question)),
    await attemptAll('CNI', () => cni(places)),
  ];
  return [...findings, ...others.flat()];
}

async function attemptAll(name: string, examine: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await examine();
  } catch (error) {
    return [failed(name, (error as Error).message, 'run the doctor as root, in the namespace of the daemon')];
  }
}

/** A doctor that breaks down over a finding helps nobody. */
function attempt(name: string, examine: () => Finding): Finding {
  try {
    return examine();
  } catch (error) {
    return failed(name, (error as Error).message, 'please report this');
  }
}
