/**
 * From the policies that select a pod to what forwarding decides by, in one direction: a tier of the admin policies' rules in
 * the order of priorities, a tier of what NetworkPolicies allow, which refuses the rest, and a tier of the baseline. A tier
 * without a word is left out; after one of NetworkPolicies nothing decides any more.
 *
 * A named port is the subject's own for what comes to it. For what it sends, each number that pods call by the name becomes a
 * rule of its own, for those of the peers that do; of a block these are pods of the block, by their addresses. A rule that
 * can match nobody, or nothing, is left out.
 */
import {
  NO_NOTE,
  type PolicyPorts,
  type PolicyRuleSpec,
  type PolicyTierSpec,
} from '../../dataplane/policy-spec.js';
import { hostPrefix } from '../cidr.js';
import type { NameDraft, NamedPort, PeerDraft, PodSelection, PolicyDraft, RuleDraft } from './drafts.js';
import type { NamedBlock, NamedPorts } from './named-ports.js';
import type { Notes } from './notes.js';
import type { Selecting } from './policy-index.js';
import type { PolicySet, Sets } from './sets.js';
import type { Direction, LabelSelector, PolicyNote, PolicyPod } from './types.js';

export interface WriterParts {
  readonly sets: Sets;
  readonly notes: Notes;
  readonly named: NamedPorts;
  /** Addresses of nodes with these labels, sorted. */
  readonly nodeAddresses: (labels: LabelSelector) => readonly string[];
}

/** Whose ruleset it is to be. */
export interface Subject {
  readonly direction: Direction;
  readonly selecting: Selecting;
  /** Of the pod. */
  readonly ports: PolicyPod['ports'];
  /** Of its addresses: see named-ports.ts. */
  readonly space: string;
}

const ANY_POD: PodSelection = { namespaces: {}, pods: {} };

export class RulesetWriter {
  /** What was acquired on the way. */
  readonly sets: PolicySet[] = [];
  readonly notes: number[] = [];
  /** Names of ports whose numbers it depends on. */
  readonly names = new Set<string>();
  /** Acquired, too: it depends on who is in them. */
  readonly blocks: NamedBlock[] = [];
  asksNodes = false;

  constructor(
    private readonly parts: WriterParts,
    private readonly subject: Subject,
  ) {}

  write(): PolicyTierSpec[] {
    const { admin, policy, baseline } = this.subject.selecting;
    const tiers = this.open('admin', admin);
    if (policy.length > 0) return [...tiers, this.closed(policy)];
    return [...tiers, ...this.open('baseline', baseline)];
  }

  private open(tier: 'admin' | 'baseline', drafts: readonly PolicyDraft[]): PolicyTierSpec[] {
    const rules = this.rulesOf(tier, drafts);
    return rules.length > 0 ? [{ rules, otherwise: 'next', note: NO_NOTE }] : [];
  }

  private closed(drafts: readonly PolicyDraft[]): PolicyTierSpec {
    const { direction } = this.subject;
    const rules = this.rulesOf('policy', drafts);
    const policies = drafts.map(({ name }) => name);
    const note = this.note({ direction, tier: 'policy', action: 'deny', policies });
    return { rules, otherwise: 'deny', note };
  }

  private rulesOf(tier: PolicyNote['tier'], drafts: readonly PolicyDraft[]): PolicyRuleSpec[] {
    const { direction } = this.subject;
    return drafts.flatMap(({ name, rules }) =>
      (rules[direction] ?? []).flatMap((rule) => {
        const matching = this.expand(rule);
        if (matching.length === 0) return [];
        const { action, path } = rule;
        const note = this.note({ direction, tier, action, policies: [name], path });
        return matching.map((match) => ({ action, note, ...match }));
      }),
    );
  }

  private expand({ peers, ports }: RuleDraft): Pick<PolicyRuleSpec, 'peers' | 'ports'>[] {
    if (!ports) return this.to(peers);
    if (this.subject.direction === 'ingress') {
      return this.to(peers, [...ports.numbers, ...ports.names.flatMap((name) => this.ownPorts(name))]);
    }
    return [...this.to(peers, ports.numbers), ...ports.names.flatMap((name) => this.toNamed(peers, name))];
  }

  private to(
    peers: readonly PeerDraft[] | undefined,
    ports?: readonly PolicyPorts[],
  ): Pick<PolicyRuleSpec, 'peers' | 'ports'>[] {
    if (ports?.length === 0) return [];
    const match = ports ? { ports } : {};
    if (!peers) return [match];
    const resolved = this.resolve(peers);
    return resolved ? [{ ...match, peers: resolved }] : [];
  }

  private ownPorts({ name, protocol }: NameDraft): PolicyPorts[] {
    return this.subject.ports
      .filter((port) => port.name === name && (protocol ?? port.protocol) === port.protocol)
      .map((port) => ({ protocol: port.protocol, from: port.port, to: port.port }));
  }

  private toNamed(
    peers: readonly PeerDraft[] | undefined,
    name: NameDraft,
  ): Pick<PolicyRuleSpec, 'peers' | 'ports'>[] {
    this.names.add(name.name);
    return this.parts.named.numbersOf(name).flatMap((named) => {
      const having = (peers ?? [{ pods: ANY_POD }]).flatMap((peer) => this.having(peer, named));
      return this.to(having, [{ protocol: named.protocol, from: named.port, to: named.port }]);
    });
  }

  /** Those of the peer that call the number so. */
  private having(peer: PeerDraft, named: NamedPort): PeerDraft[] {
    if ('pods' in peer) return [{ pods: { ...peer.pods, named } }];
    if ('nodes' in peer) return [];
    const block = this.parts.named.acquire(peer.block, named, this.subject.space);
    this.blocks.push(block);
    return [...block.addresses].sort().map((address) => ({ block: { cidr: hostPrefix(address) } }));
  }

  private resolve(peers: readonly PeerDraft[]): PolicyRuleSpec['peers'] {
    const sets = new Set(peers.flatMap((peer) => ('pods' in peer ? this.setOf(peer.pods) : [])));
    const blocks = peers.flatMap((peer) => {
      if ('block' in peer) return [peer.block];
      return 'nodes' in peer ? this.nodes(peer.nodes).map((address) => ({ cidr: hostPrefix(address) })) : [];
    });
    return sets.size + blocks.length > 0 ? { sets: [...sets], blocks } : undefined;
  }

  private nodes(labels: LabelSelector): readonly string[] {
    this.asksNodes = true;
    return this.parts.nodeAddresses(labels);
  }

  private setOf(selection: PodSelection): number {
    const set = this.parts.sets.acquire(selection);
    this.sets.push(set);
    return set.id;
  }

  private note(note: PolicyNote): number {
    const number = this.parts.notes.acquire(note);
    this.notes.push(number);
    return number;
  }
}
