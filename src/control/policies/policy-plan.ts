/**
 * The plan of policies: from policies, namespaces, nodes and pods to what forwarding is told of them, kept as they change.
 * Pure; live-policies.ts feeds it.
 *
 *     plan.setPolicy(policy) · removePolicy(kind, key)     key: NAMESPACE/NAME, or NAME
 *     plan.setNamespace({ name, labels }) · removeNamespace(name)
 *     plan.setPod(pod) · removePod(key)                    of any node; key: podKeyOf(pod), NAMESPACE/NAME@NODE
 *     plan.setNode(node) · removeNode(name)
 *     plan.setDomain(network, domain | undefined)          an overlay, by its domain on this node; others are routed
 *     plan.setClusterCidrs(cidrs) · setFollowsAll(whether)
 *     plan.keepApart(networks)                             numbers of notes, by pairs of networks that are routed
 *     plan.changes()   what is different since the last call
 *     plan.whole()     all there is, to a table that has nothing; changes() is as if it had not been called
 *     plan.again()     all there is, to a table that may have anything; changes() begins anew
 *     plan.noteOf(n)   what a verdict's number stands for
 *     plan.judge(question)
 *     plan.copy()      for somebody who asks what would be otherwise; plan.state(): the same as data
 *
 * The pods of this node are those whose interfaces have a port. Each change marks the identities of this node whose policies
 * may be others, and the rulesets that may say something else; `changes` looks at these. What it costs is what is
 * different: a label of one pod is one identity, compared with the sets and policies that its words lead to.
 */
import { isDeepStrictEqual } from 'node:util';
import { IDENTITY_NODE, type PolicyChanges } from '../../dataplane/policy-spec.js';
import { podKeyOf } from '../services/types.js';
import { ApartNotes } from './apart-notes.js';
import { draftOf, type PolicyDraft } from './drafts.js';
import { Identities, type Identity, identitySpec } from './identities.js';
import { Judge } from './judge.js';
import { KnownPods } from './known-pods.js';
import { NamedPorts } from './named-ports.js';
import { Namespaces } from './namespaces.js';
import { Notes } from './notes.js';
import { Ledger } from './numbers.js';
import { Places } from './places.js';
import { inOrder, PolicyIndex, rulesetKey, subjectAnchors } from './policy-index.js';
import { type Ruleset, Rulesets, rulesetSpec } from './rulesets.js';
import { type Labels, matches } from './selectors.js';
import { type PolicySet, Sets, setSpec } from './sets.js';
import type {
  PolicyAnswer,
  PolicyNode,
  PolicyNote,
  PolicyPod,
  PolicyQuestion,
  PolicyState,
} from './types.js';
import { type AnyPolicy, DIRECTIONS, type Direction, type LabelSelector } from './types.js';

/** The publisher gives it its number. */
export type PlannedPolicies = Omit<PolicyChanges, 'generation'>;

export class PolicyPlan {
  private readonly ledgers = {
    identities: new Ledger<Identity>(),
    sets: new Ledger<PolicySet>(),
    rulesets: new Ledger<Ruleset>(),
  };
  private readonly namespaces = new Namespaces((name, groups) => this.sets.regrouped(name, groups));
  private readonly identities = new Identities(this.ledgers.identities);
  private readonly sets = new Sets({
    identities: this.identities,
    namespaces: this.namespaces,
    ledger: this.ledgers.sets,
    identityLedger: this.ledgers.identities,
  });
  /** A note's number stands for another one from now on. */
  onNoteGiven: (note: number) => void = () => {};
  private readonly notes = new Notes((note) => this.onNoteGiven(note));
  private readonly apart = new ApartNotes(this.notes);
  private readonly named = new NamedPorts(
    {
      renumbered: (name) => this.rulesets.renumbered(name),
      replaced: (block) => this.rulesets.replaced(block),
    },
    (network) => this.spaceOf(network),
  );
  private readonly rulesets: Rulesets = new Rulesets(
    {
      sets: this.sets,
      notes: this.notes,
      named: this.named,
      nodeAddresses: (labels) => this.nodeAddresses(labels),
    },
    this.ledgers.rulesets,
  );
  private readonly policies = new PolicyIndex(this.namespaces);
  private readonly places = new Places();
  private readonly pods = new KnownPods({
    identities: this.identities,
    sets: this.sets,
    namespaces: this.namespaces,
    named: this.named,
    places: this.places,
    ruledAnew: (identity) => this.dirty.add(identity),
  });
  private readonly nodes = new Map<string, PolicyNode>();
  /** Identities whose policies may be others. */
  private readonly dirty = new Set<Identity>();
  private judging: Judge | undefined;
  /** Kept until somebody is told, for the next question. */
  private readonly judged = new Set<Ruleset>();
  private serial = 0;
  private cidrs: readonly string[] = [];
  private toldCidrs: readonly string[] = [];
  private followsAll = false;
  private toldFollowsAll = false;

  setPolicy(policy: AnyPolicy): void {
    const key = policyKey(policy);
    const before = this.policies.get(policy.kind, key);
    if (before && isDeepStrictEqual(before.policy.spec, policy.spec)) return;
    // Before anything changes: a manifest that cannot be read throws here.
    const draft = draftOf(policy, this.serial++);
    if (before) this.withdrawPolicy(key, before);
    this.policies.add(key, draft);
    this.markSubjects(draft);
  }

  /** @param key NAMESPACE/NAME, or NAME of those that are in no namespace. */
  removePolicy(kind: AnyPolicy['kind'], key: string): void {
    const draft = this.policies.get(kind, key);
    if (draft) this.withdrawPolicy(key, draft);
  }

  setNamespace({ name, labels }: { readonly name: string; readonly labels: Labels }): void {
    if (this.namespaces.set(name, labels)) this.markNamespace(name);
  }

  /** The resource; pods in it stay, without its labels. */
  removeNamespace(name: string): void {
    if (this.namespaces.remove(name)) this.markNamespace(name);
  }

  setPod(pod: PolicyPod): void {
    this.pods.set(pod);
  }

  /** @param key of podKeyOf */
  removePod(key: string): void {
    this.pods.remove(key);
  }

  /** @param domain of an overlay on this node; undefined: the network is one of those that are routed. */
  setDomain(network: string, domain: number | undefined): void {
    this.pods.setDomain(network, domain);
  }

  setNode(node: PolicyNode): void {
    if (isDeepStrictEqual(this.nodes.get(node.name), node)) return;
    this.removeNode(node.name);
    this.nodes.set(node.name, node);
    for (const address of node.addresses) this.places.claim(node, address, undefined, IDENTITY_NODE);
    this.rulesets.nodesChanged();
  }

  removeNode(name: string): void {
    const node = this.nodes.get(name);
    if (!node) return;
    this.nodes.delete(name);
    for (const address of node.addresses) this.places.release(node, address, undefined);
    this.rulesets.nodesChanged();
  }

  setClusterCidrs(cidrs: readonly string[]): void {
    this.cidrs = [...cidrs];
  }

  /** Connections of pods are followed even where nothing selects them. */
  setFollowsAll(followsAll: boolean): void {
    this.followsAll = followsAll;
  }

  /** Names of networks that are kept apart: all there are. Answers the numbers of their notes, by pairKey. */
  keepApart(networks: readonly string[]): ReadonlyMap<string, number> {
    return this.apart.set(networks);
  }

  changes(): PlannedPolicies {
    this.forgetJudged();
    this.settle();
    const { rulesets, sets, identities } = this.ledgers;
    const [ruled, set, identified] = [rulesets.take(), sets.take(), identities.take()];
    const changes = {
      ...(isDeepStrictEqual(this.cidrs, this.toldCidrs) ? {} : { clusterCidrs: this.cidrs }),
      ...(this.followsAll !== this.toldFollowsAll && { followsAll: this.followsAll }),
      removedRulesets: ruled.removed,
      removedSets: set.removed,
      removedIdentities: identified.removed,
      sets: set.changed.map(setSpec),
      identities: identified.changed.map(identitySpec),
      rulesets: ruled.changed.map(rulesetSpec),
      addresses: this.places.take(),
      ports: this.pods.takePorts(),
    };
    this.toldCidrs = this.cidrs;
    this.toldFollowsAll = this.followsAll;
    return changes;
  }

  whole(): PlannedPolicies {
    this.forgetJudged();
    this.settle();
    return {
      clusterCidrs: this.cidrs,
      ...(this.followsAll && { followsAll: true }),
      removedRulesets: [],
      removedSets: [],
      removedIdentities: [],
      sets: [...this.sets.all].map(setSpec),
      identities: [...this.identities.all].map(identitySpec),
      rulesets: [...this.rulesets.all].map(rulesetSpec),
      addresses: this.places.whole(),
      ports: this.pods.allPorts(),
    };
  }

  /** What was taken before may be in force in part, or not at all. */
  again(): PlannedPolicies {
    const gone = this.changes().addresses.filter(({ identity }) => identity === 0);
    const whole = this.whole();
    return {
      ...whole,
      followsAll: this.followsAll,
      removedRulesets: this.rulesets.numbers.freed,
      removedSets: this.sets.numbers.freed,
      removedIdentities: this.identities.numbers.freed,
      addresses: [...gone, ...whole.addresses],
    };
  }

  /** Of every node, in no order. */
  everyPod(): PolicyPod[] {
    return [...this.pods.all()];
  }

  noteOf(note: number): PolicyNote | undefined {
    return this.notes.of(note);
  }

  /** @throws PodwireError NOT_FOUND, INVALID: judge.ts */
  judge(question: PolicyQuestion): PolicyAnswer {
    this.settle();
    this.judging ??= new Judge({
      pods: (key) => this.pods.named(key),
      podAt: (address) => this.pods.at(address),
      node: (name) => this.nodes.get(name),
      nodeAt: (address) => [...this.nodes.values()].find(({ addresses }) => addresses.includes(address)),
      withRuleset: (identity, direction, use) => this.withRuleset(identity, direction, use),
      clusterCidrs: () => this.cidrs,
      noteOf: (note) => this.noteOf(note),
    });
    return this.judging.judge(question);
  }

  /** The same, in a plan of its own. */
  copy(): PolicyPlan {
    const copy = new PolicyPlan();
    copy.setClusterCidrs(this.cidrs);
    copy.setFollowsAll(this.followsAll);
    for (const [network, domain] of this.pods.domains) copy.setDomain(network, domain);
    for (const namespace of this.namespaces.resources()) copy.setNamespace(namespace);
    for (const node of this.nodes.values()) copy.setNode(node);
    for (const { policy } of this.policies.all) copy.setPolicy(policy);
    for (const pod of this.pods.all()) copy.setPod(pod);
    return copy;
  }

  /** What it was told, for somebody who makes another plan of it. */
  state(): PolicyState {
    return {
      policies: new Map(
        [...this.policies.all].map(({ policy }) => [`${policy.kind} ${policyKey(policy)}`, policy]),
      ),
      namespaces: new Map([...this.namespaces.resources()].map(({ name, labels }) => [name, labels])),
      pods: new Map(this.everyPod().map((pod) => [podKeyOf(pod), pod])),
      nodes: new Map(this.nodes),
      domains: new Map(this.pods.domains),
      clusterCidrs: this.cidrs,
    };
  }

  private withRuleset<T>(
    identity: Identity,
    direction: Direction,
    use: (ruleset: Ruleset | undefined) => T,
  ): T {
    const ruleset = this.acquireRuleset(identity, direction, this.policies.selecting(identity));
    if (ruleset && this.judged.has(ruleset)) this.rulesets.release(ruleset);
    else if (ruleset) this.judged.add(ruleset);
    return use(ruleset);
  }

  /** Forwarding is told of none that this node does not need. */
  private forgetJudged(): void {
    for (const ruleset of this.judged) this.rulesets.release(ruleset);
    this.judged.clear();
  }

  private withdrawPolicy(key: string, draft: PolicyDraft): void {
    this.policies.remove(key, draft);
    this.markSubjects(draft);
  }

  private markSubjects(draft: PolicyDraft): void {
    for (const identity of this.identities.find(subjectAnchors(draft))) {
      if (identity.locals.size > 0 && this.policies.selects(draft, identity)) this.dirty.add(identity);
    }
  }

  private markNamespace(name: string): void {
    if (!this.policies.asksNamespaces) return;
    for (const identity of this.identities.find([name])) {
      if (identity.locals.size > 0) this.dirty.add(identity);
    }
  }

  private settle(): void {
    for (const identity of this.dirty) this.rule(identity);
    this.dirty.clear();
    this.rulesets.refresh();
  }

  /** Gives it the rulesets of the policies that select it now; one without a port needs none. */
  private rule(identity: Identity): void {
    const drafts = identity.locals.size > 0 ? this.policies.selecting(identity) : [];
    for (const direction of DIRECTIONS) {
      const before = identity[direction];
      const after = this.acquireRuleset(identity, direction, drafts);
      if (before) this.rulesets.release(before);
      identity[direction] = after;
      if (after !== before) this.pods.markPorts(identity);
    }
  }

  private acquireRuleset(
    identity: Identity,
    direction: Direction,
    drafts: readonly PolicyDraft[],
  ): Ruleset | undefined {
    const selecting = inOrder(drafts, direction);
    const subject = { direction, selecting, ports: identity.ports, space: this.spaceOf(identity.network) };
    const key = rulesetKey(direction, selecting, subject);
    return key === undefined ? undefined : this.rulesets.acquire(key, subject);
  }

  /** Overlays have one each, all others share one. */
  private spaceOf(network: string): string {
    return this.pods.domains.has(network) ? network : '';
  }

  private nodeAddresses(labels: LabelSelector): readonly string[] {
    const chosen = [...this.nodes.values()].filter((node) => matches(labels, node.labels));
    return [...new Set(chosen.flatMap(({ addresses }) => addresses))].sort();
  }
}

/** NAMESPACE/NAME, or NAME. */
export function policyKey(policy: AnyPolicy): string {
  const { namespace = 'default', name } = policy.metadata;
  return policy.kind === 'NetworkPolicy' ? `${namespace}/${name}` : name;
}
