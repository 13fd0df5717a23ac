/**
 * What PolicyChanges mean, told without tables: everything is kept as it was told, and a question goes through all of it. A judge for
 * policy-table.ts, with arithmetic of its own for addresses.
 */
import ipaddr from 'ipaddr.js';
import type { PolicyChanges, PolicyRuleSpec, RulesetSpec } from '../../../../src/dataplane/policy-spec.js';
import type { Answer } from './policy-fixture.js';

const PROTOCOLS = { TCP: 6, UDP: 17, SCTP: 132 } as const;

export interface Asked {
  readonly ruleset: number;
  readonly identity: number;
  readonly address: string;
  readonly protocol: number;
  readonly to: number;
}

export class NaivePolicies {
  private clusterCidrs: readonly string[] = [];
  private readonly rulesets = new Map<number, RulesetSpec>();
  private readonly sets = new Map<number, Set<number>>();
  private readonly known = new Set<number>();
  readonly addresses = new Map<string, number>();

  change(changes: PolicyChanges): void {
    this.clusterCidrs = changes.clusterCidrs ?? this.clusterCidrs;
    for (const id of changes.removedRulesets) this.rulesets.delete(id);
    for (const id of changes.removedSets) this.sets.delete(id);
    for (const id of changes.removedIdentities) this.leave(id);
    const last = changes.sets.filter(({ id }, i) => !changes.sets.slice(i + 1).some((set) => set.id === id));
    for (const { id, identities } of last) {
      this.sets.set(id, new Set(identities));
      for (const identity of identities) this.known.add(identity);
    }
    for (const { id, sets } of changes.identities) {
      this.leave(id);
      this.known.add(id);
      for (const set of sets) this.sets.set(set, (this.sets.get(set) ?? new Set<number>()).add(id));
    }
    for (const ruleset of changes.rulesets) this.rulesets.set(ruleset.id, ruleset);
    for (const { address, domain, identity } of changes.addresses) {
      this.addresses.set(`${domain ?? 'routed'} ${address}`, identity);
    }
  }

  has(ruleset: number): boolean {
    return this.rulesets.has(ruleset);
  }

  ask(asked: Asked): Answer {
    for (const { rules, otherwise, note } of this.rulesets.get(asked.ruleset)!.tiers) {
      const rule = rules.find((one) => this.matches(one, asked));
      if (rule === undefined && otherwise !== 'next') return { allowed: otherwise === 'allow', note };
      if (rule !== undefined && rule.action !== 'pass') {
        return { allowed: rule.action === 'allow', note: rule.note };
      }
    }
    return { allowed: true, note: 0 };
  }

  private leave(identity: number): void {
    this.known.delete(identity);
    for (const members of this.sets.values()) members.delete(identity);
  }

  private matches({ action, peers, ports }: PolicyRuleSpec, asked: Asked): boolean {
    return (
      (ports === undefined || this.matchesPorts(ports, asked)) &&
      (peers === undefined || this.matchesPeers(peers, action, asked))
    );
  }

  private matchesPorts(ports: NonNullable<PolicyRuleSpec['ports']>, { protocol, to }: Asked): boolean {
    const own = ports.filter((range) => PROTOCOLS[range.protocol] === protocol);
    const isIn = (port: number) => own.some(({ from, to: last }) => from <= port && port <= last);
    if (to >= 0) return isIn(to);
    // Every port: the first, and where a range ends, the next one.
    return (
      own.length > 0 &&
      isIn(1) &&
      own.every((range) => range.to === 65_535 || isIn(range.to + 1)) &&
      isIn(65_535)
    );
  }

  private matchesPeers(
    { sets, blocks }: NonNullable<PolicyRuleSpec['peers']>,
    action: string,
    { identity, address, protocol }: Asked,
  ): boolean {
    const isPod = identity >= 2;
    if (isPod && this.known.has(identity) && sets.some((set) => this.sets.get(set)?.has(identity)))
      return true;
    const isStranger = isPod
      ? !this.known.has(identity)
      : identity === 0 && (protocol < 0 || this.clusterCidrs.some((cidr) => isIn(cidr, address)));
    if (isStranger && action === 'deny' && sets.length > 0) return true;
    if (protocol < 0) return false;
    return blocks.some(
      ({ cidr, except = [] }) => isIn(cidr, address) && !except.some((hole) => isIn(hole, address)),
    );
  }
}

function isIn(cidr: string, address: string): boolean {
  const ip = ipaddr.parse(address);
  const [network, length] = ipaddr.parseCIDR(cidr);
  return ip.kind() === network.kind() && ip.match(network, length);
}
