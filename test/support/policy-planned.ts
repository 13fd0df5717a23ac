/**
 * A node of a case as it is in operation, without packets: a plan that is told what happens, and the data plane's table that is told
 * what the plan says. Pods of the node have ports, by the number of their slot; of all others the node knows what the store says.
 */

import { PolicyPlan } from '../../src/control/policies/policy-plan.js';
import type { PolicyPod } from '../../src/control/policies/types.js';
import { PROTOCOLS, type Protocol, podKeyOf } from '../../src/control/services/types.js';
import { MAX_PORTS } from '../../src/dataplane/constants.js';
import { ASK, PolicyTable } from '../../src/dataplane/policy/policy-table.js';
import { type Ip, parseIp } from '../../src/wire/address.js';
import { CaseCluster, type CaseEnd, OVERLAY, type PolicyEvent, type PolicyStep } from './policy-cases.js';
import type { OraclePod, OracleQuestion, RawPolicy } from './policy-manifests.js';
import { parsed } from './policy-parsed.js';

const DOMAIN = 3;
const ALL_POLICED = new Uint8Array(MAX_PORTS).fill(1);
const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = { TCP: 6, UDP: 17, SCTP: 132, GRE: 47, ICMP: 1 };
const ICMPV6 = 58;

export function protocolNumber({ protocol, from }: OracleQuestion): number {
  return protocol === 'ICMP' && from.includes(':') ? ICMPV6 : PROTOCOL_NUMBERS[protocol];
}

/** What is told to forwarding, and by whom it is kept. */
export class PolicyReader {
  readonly table = new PolicyTable(7, 1024);
  private generation = 0;

  constructor() {
    this.table.follow(ALL_POLICED);
  }

  tell(changes: ReturnType<PolicyPlan['changes']>): void {
    this.table.change({ ...changes, generation: ++this.generation });
  }
}

export class PlannedNode {
  readonly plan = new PolicyPlan();
  readonly told = new PolicyReader();
  private readonly cluster = new CaseCluster();

  constructor(readonly name: string) {
    this.plan.setDomain(OVERLAY, DOMAIN);
  }

  step(step: PolicyStep): void {
    if (step.kind === 'tell') this.told.tell(this.plan.changes());
    else this.happen(step);
  }

  /** From nothing, as after a restart of forwarding. */
  restarted(): PolicyReader {
    const reader = new PolicyReader();
    reader.tell(this.plan.whole());
    return reader;
  }

  private happen(event: PolicyEvent): void {
    const { plan, cluster } = this;
    const policy = cluster.policies.get(event.slot);
    const gone = cluster.set(event);
    switch (event.kind) {
      case 'namespace':
        if (event.value === null) plan.removeNamespace(event.slot);
        else plan.setNamespace({ name: event.slot, labels: event.value });
        break;
      case 'node':
        if (event.value === null) plan.removeNode(event.slot);
        else plan.setNode({ labels: {}, ...event.value });
        break;
      case 'cidrs':
        plan.setClusterCidrs(event.value);
        break;
      case 'policy':
        if (event.value !== null) plan.setPolicy(parsed(event.value));
        else if (policy !== undefined) plan.removePolicy(policy.kind, keyOf(policy));
        break;
      case 'pod':
        this.podIs(event.slot, gone, event.value);
        break;
    }
  }

  /** What is gone elsewhere may be heard of after what came in its place; here it is always the other way about. */
  private podIs(slot: string, gone: readonly [string, OraclePod][], value: OraclePod | null): void {
    const now = value === null ? undefined : this.podOf(slot, value);
    const others = gone
      .map(([one, pod]) => this.podOf(one, pod))
      .filter((pod) => now === undefined || podKeyOf(pod) !== podKeyOf(now));
    const isLate = ({ node, name }: PolicyPod): boolean => node !== this.name && slotNumber(name) % 2 === 1;
    for (const pod of others) if (!isLate(pod)) this.remove(pod);
    if (now !== undefined) this.plan.setPod(now);
    for (const pod of others) if (isLate(pod)) this.remove(pod);
  }

  private remove(pod: PolicyPod): void {
    this.plan.removePod(podKeyOf(pod));
    for (const { port } of pod.interfaces) if (port !== undefined) this.told.table.forgetPort(port);
  }

  /** Its own pods' interfaces have ports, by the number of their slot. */
  private podOf(slot: string, pod: OraclePod): PolicyPod {
    const isOwn = pod.node === this.name;
    return {
      ...pod,
      ports: pod.ports.map(({ protocol, ...port }) => ({ ...port, protocol: protocolOf(protocol) })),
      interfaces: pod.interfaces.map(({ network, ips }) => ({
        network,
        ips,
        ...(isOwn && { port: portOf(slot, network) }),
      })),
    };
  }
}

export const slotNumber = (slot: string): number => Number(slot.slice(1));

export function portOf(slot: string, network: string): number {
  return 1 + 2 * slotNumber(slot) + (network === OVERLAY ? 1 : 0);
}

function protocolOf(text: string): Protocol {
  const found = PROTOCOLS.find((one) => one === text);
  if (found === undefined) throw new Error(`no protocol ${text}`);
  return found;
}

function keyOf({ metadata: { name, namespace }, kind }: RawPolicy): string {
  return kind === 'NetworkPolicy' ? `${namespace ?? 'default'}/${name}` : name;
}

/** An end of a question as the node's table knows it: by port where it is a pod of its own, else by address. */
export interface TableEnd {
  readonly end?: CaseEnd;
  readonly address: string;
}

export interface TableAnswer {
  readonly allowed: boolean;
  readonly note: number;
}

const words = new Int32Array(4);
const read = new Map<string, Ip>();

/** The same few addresses, thousands of times. */
function ipOf(text: string): Ip {
  const known = read.get(text);
  if (known !== undefined) return known;
  const ip = parseIp(text);
  read.set(text, ip);
  return ip;
}

/** What the table of the subject's node says of the other end. */
export function askTable(
  { table }: PolicyReader,
  way: 'ingress' | 'egress',
  subject: CaseEnd,
  peer: TableEnd,
  question: OracleQuestion,
): TableAnswer {
  const { family, words: parts } = ipOf(peer.address);
  words.fill(0);
  words.set(parts, 4 - parts.length);
  const zone = question.overlay === undefined ? 0 : 1 + DOMAIN;
  const far =
    family === 6 ? table.find6(zone, words[0], words[1], words[2], words[3]) : table.find4(zone, words[3]);
  const { end } = peer;
  const isNear = end !== undefined && end.pod.node === subject.pod.node;
  const allowed = table.allows(
    way === 'ingress' ? ASK.INGRESS : ASK.EGRESS,
    portOf(subject.slot, subject.network),
    isNear ? table.identityOf(portOf(end.slot, end.network)) : far,
    words,
    family === 6,
    protocolNumber(question),
    question.port ?? -1,
  );
  return { allowed, note: table.note };
}
