/**
 * So many policies over so many pods, as control plans them: a node of engine/cluster.ts with a hundred pods, and 49 times as many
 * on its peers, in fifty namespaces of twenty apps.
 *
 * Each policy selects an app of its namespace, so a pod is selected by a twentieth of its namespace's policies, half of which are
 * about each direction. All but one of these name peers and ports that the traffic does not have, and come first; the
 * last lets it pass. So every rule of a pod is looked at.
 */
import { PolicyPlan } from '../../src/control/policies/policy-plan.js';
import type { NetworkPolicy, PolicyPod } from '../../src/control/policies/types.js';
import * as cluster from '../engine/cluster.js';

export const SCALE_POLICY = 'scale.policy';
export const PODS = 5000;
export const HERE = 'n0';

const LOCAL = 100;
const PEERS = 1000;
const NAMESPACES = 50;
const APPS = 20;
const TEAMS = 5;
/** Where pods of peers begin: 10.128.0.2. */
const FIRST_ADDRESS = 0x0a80_0002;

/** @param policies a multiple of a thousand, so that each pod is selected by as many; 0: none. */
export function planOf(policies: number): PolicyPlan {
  const plan = new PolicyPlan();
  plan.setClusterCidrs(['10.0.0.0/8']);
  for (let n = 0; n < NAMESPACES; n++) plan.setNamespace({ name: `ns-${n}`, labels: teamOf(n) });
  for (let pod = 0; pod < PODS; pod++) plan.setPod(podOf(pod));
  for (let policy = 0; policy < policies; policy++) plan.setPolicy(policyOf(policy, policies));
  return plan;
}

/** One policy in each namespace, which lets everything pass: connections are followed, and nothing more. */
export function trivialPlan(): PolicyPlan {
  const plan = planOf(0);
  for (let n = 0; n < NAMESPACES; n++) {
    plan.setPolicy({
      ...named(`ns-${n}`, 'all'),
      spec: { podSelector: {}, ingress: [{}], egress: [{}], policyTypes: ['Ingress', 'Egress'] },
    });
  }
  return plan;
}

/** @param version another label for each */
export function podOf(pod: number, version = 0): PolicyPod {
  const isLocal = pod < LOCAL;
  const peer = (pod - LOCAL) % PEERS;
  const host = Math.floor((pod - LOCAL) / PEERS);
  const ip = isLocal ? cluster.podAddress(cluster.FIRST_POD + pod) : text(FIRST_ADDRESS + peer * 256 + host);
  return {
    namespace: `ns-${pod % NAMESPACES}`,
    name: `pod-${pod}`,
    node: isLocal ? HERE : `n${peer + 1}`,
    labels: { app: appOf(Math.floor(pod / NAMESPACES)), version: `v${version}` },
    ports: [],
    interfaces: [{ network: 'default', ips: [ip], ...(isLocal && { port: cluster.FIRST_POD + pod }) }],
  };
}

export function teamOf(namespace: number, version = 0): Record<string, string> {
  return { team: `t${namespace % TEAMS}`, version: `v${version}` };
}

function policyOf(policy: number, policies: number): NetworkPolicy {
  const number = Math.floor(policy / NAMESPACES);
  const isLast = policy >= policies - NAMESPACES * APPS;
  const spec = { podSelector: { matchLabels: { app: appOf(number) } } };
  const named_ = named(`ns-${policy % NAMESPACES}`, `policy-${number}`);
  if (isLast) {
    const ports = [{ protocol: 'UDP' as const, port: 5201, endPort: 65_535 }];
    const all = [{ namespaceSelector: {} }];
    return {
      ...named_,
      spec: {
        ...spec,
        ingress: [{ from: all, ports }],
        egress: [{ to: all, ports }],
        policyTypes: ['Ingress', 'Egress'],
      },
    };
  }
  const peers = [
    { podSelector: { matchLabels: { app: appOf(number + 7) } } },
    {
      namespaceSelector: { matchLabels: teamOf(number) },
      podSelector: { matchLabels: { app: appOf(number + 3) } },
    },
    { ipBlock: { cidr: '192.0.2.0/24', except: ['192.0.2.128/25'] } },
  ];
  const ports = [{ protocol: 'TCP' as const, port: 80 + (number % 100) }];
  // Halves of an app's policies: apps go round with the number, directions with the round.
  return Math.floor(number / APPS) % 2 === 0
    ? { ...named_, spec: { ...spec, ingress: [{ from: peers, ports }], policyTypes: ['Ingress'] } }
    : { ...named_, spec: { ...spec, egress: [{ to: peers, ports }], policyTypes: ['Egress'] } };
}

function named(namespace: string, name: string): Pick<NetworkPolicy, 'apiVersion' | 'kind' | 'metadata'> {
  return { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { namespace, name } };
}

function appOf(number: number): string {
  return `a${number % APPS}`;
}

function text(word: number): string {
  return [24, 16, 8, 0].map((shift) => (word >>> shift) & 255).join('.');
}
