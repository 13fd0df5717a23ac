/**
 * Sets: what a peer of a rule selects, as identities. There is one for each different pair of selectors that a ruleset of this
 * node names; for a port that is named, one for those of them that call this number so.
 *
 * Who is in it is kept: an identity that is new is compared with the sets that its words lead to, a set that is new with the
 * identities that its anchors lead to, and where labels of a namespace change, that namespace's identities with the sets of the
 * groups that select it otherwise now.
 */
import type { PolicySetSpec } from '../../dataplane/policy-spec.js';
import type { NamedPort, PodSelection } from './drafts.js';
import { type Identities, type Identity, identityWords } from './identities.js';
import type { NamespaceGroup, Namespaces } from './namespaces.js';
import { type Ledger, Numbers } from './numbers.js';
import { ANYWHERE, anchorsOf, matches, selectorKey, WordIndex } from './selectors.js';
import type { LabelSelector } from './types.js';

export interface PolicySet {
  readonly id: number;
  readonly key: string;
  /** One namespace, or a group of them. */
  readonly in: string | NamespaceGroup;
  readonly pods: LabelSelector;
  readonly named: NamedPort | undefined;
  readonly members: Set<Identity>;
  uses: number;
}

export interface SetsParts {
  readonly identities: Identities;
  readonly namespaces: Namespaces;
  readonly ledger: Ledger<PolicySet>;
  readonly identityLedger: Ledger<Identity>;
}

export class Sets {
  private readonly byKey = new Map<string, PolicySet>();
  private readonly index = new WordIndex<PolicySet>();
  readonly numbers = new Numbers(0);

  constructor(private readonly parts: SetsParts) {}

  get all(): Iterable<PolicySet> {
    return this.byKey.values();
  }

  /** To be released. */
  acquire(selection: PodSelection): PolicySet {
    const key = selectionKey(selection);
    const set = this.byKey.get(key) ?? this.add(key, selection);
    set.uses++;
    return set;
  }

  release(set: PolicySet): void {
    if (--set.uses > 0) return;
    this.byKey.delete(set.key);
    this.index.remove(anchors(set), set);
    for (const identity of set.members) identity.sets.delete(set);
    if (typeof set.in !== 'string') {
      set.in.sets.delete(set);
      this.parts.namespaces.tidy(set.in);
    }
    this.parts.ledger.drop(set);
    this.numbers.release(set.id);
  }

  identityAdded(identity: Identity): void {
    for (const set of this.index.find(identityWords(identity))) if (isIn(set, identity)) join(set, identity);
  }

  identityRemoved(identity: Identity): void {
    for (const set of identity.sets) set.members.delete(identity);
    identity.sets.clear();
  }

  /** The groups select the namespace now, or no longer. */
  regrouped(namespace: string, groups: readonly NamespaceGroup[]): void {
    const sets = new Set<PolicySet>();
    const identities = new Set<Identity>();
    for (const group of groups) {
      for (const set of group.sets) this.review(set, namespace, sets, identities);
    }
    const { ledger, identityLedger } = this.parts;
    // Either says it all: whichever is less to say.
    if (sets.size < identities.size) for (const set of sets) ledger.mark(set);
    else for (const identity of identities) identityLedger.mark(identity);
  }

  private review(set: PolicySet, namespace: string, sets: Set<PolicySet>, identities: Set<Identity>): void {
    for (const identity of this.parts.identities.find(anchorsOf(namespace, set.pods))) {
      const belongs = isIn(set, identity);
      if (belongs === set.members.has(identity)) continue;
      if (belongs) join(set, identity);
      else part(set, identity);
      sets.add(set);
      identities.add(identity);
    }
  }

  private add(key: string, selection: PodSelection): PolicySet {
    const { pods, named } = selection;
    const where =
      'namespace' in selection ? selection.namespace : this.parts.namespaces.group(selection.namespaces);
    const set: PolicySet = {
      id: this.numbers.take(),
      key,
      in: where,
      pods,
      named,
      members: new Set(),
      uses: 0,
    };
    this.byKey.set(key, set);
    this.index.add(anchors(set), set);
    if (typeof where !== 'string') where.sets.add(set);
    for (const identity of this.candidates(set)) if (isIn(set, identity)) join(set, identity);
    this.parts.ledger.mark(set);
    return set;
  }

  /** Where the pods' selector leads nowhere, the namespaces do. */
  private candidates(set: PolicySet): Iterable<Identity> {
    const { identities } = this.parts;
    const words = anchors(set);
    if (typeof set.in === 'string' || words[0] !== ANYWHERE) return identities.find(words);
    return identities.find([...set.in.names]);
  }
}

export function setSpec({ id, members }: PolicySet): PolicySetSpec {
  return { id, identities: [...members].map((identity) => identity.id) };
}

function join(set: PolicySet, identity: Identity): void {
  set.members.add(identity);
  identity.sets.add(set);
}

function part(set: PolicySet, identity: Identity): void {
  set.members.delete(identity);
  identity.sets.delete(set);
}

function isIn({ in: where, pods, named }: PolicySet, { namespace, labels, ports }: Identity): boolean {
  if (typeof where === 'string' ? where !== namespace : !where.names.has(namespace)) return false;
  return matches(pods, labels) && (named === undefined || ports.some((port) => isNamed(port, named)));
}

export function isNamed(port: NamedPort, named: NamedPort): boolean {
  return port.name === named.name && port.protocol === named.protocol && port.port === named.port;
}

function anchors({ in: where, pods }: PolicySet): string[] {
  return anchorsOf(typeof where === 'string' ? where : ANYWHERE, pods);
}

function selectionKey(selection: PodSelection): string {
  const { pods, named } = selection;
  const where = 'namespace' in selection ? selection.namespace : `{${selectorKey(selection.namespaces)}}`;
  const port = named ? `${named.name}=${named.protocol}/${named.port}` : '';
  return `${where} ${selectorKey(pods)} ${port}`;
}
