/**
 * Identities: pods that policies cannot tell apart are one. Namespace, labels, names of ports and network make one; it has its
 * number for as long as an interface has it. Labels of namespaces are none of it: these change which sets it is in.
 */
import { FIRST_IDENTITY, type PolicyIdentitySpec } from '../../dataplane/policy-spec.js';
import { type Ledger, Numbers } from './numbers.js';
import type { Ruleset } from './rulesets.js';
import { ANYWHERE, type Labels, labelsKey, WordIndex, wordsOf } from './selectors.js';
import type { PolicySet } from './sets.js';
import type { PolicyInterface, PolicyPod } from './types.js';

/** An interface of a pod. */
export interface Placed {
  readonly pod: PolicyPod;
  readonly at: PolicyInterface;
  readonly identity: Identity;
}

export interface Identity {
  readonly id: number;
  readonly key: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly network: string;
  readonly ports: PolicyPod['ports'];
  /** Interfaces that have it. */
  uses: number;
  /** Of these, those with a port of this node. */
  readonly locals: Set<Placed>;
  readonly sets: Set<PolicySet>;
  /** undefined: nothing selects it, or it has no port here. */
  ingress: Ruleset | undefined;
  egress: Ruleset | undefined;
}

export class Identities {
  private readonly byKey = new Map<string, Identity>();
  private readonly index = new WordIndex<Identity>();
  readonly numbers = new Numbers(FIRST_IDENTITY);

  constructor(private readonly ledger: Ledger<Identity>) {}

  get all(): Iterable<Identity> {
    return this.byKey.values();
  }

  /** @param words of selectors' anchors. */
  find(words: readonly string[]): ReadonlySet<Identity> {
    return this.index.find(words);
  }

  /** To be released. `uses` is 1 where it is new. */
  acquire(pod: Pick<PolicyPod, 'namespace' | 'labels' | 'ports'>, network: string): Identity {
    const key = identityKey(pod, network);
    const known = this.byKey.get(key);
    const identity = known ?? this.add(key, pod, network);
    identity.uses++;
    return identity;
  }

  /** `uses` is 0 where it is no more. */
  release(identity: Identity): void {
    if (--identity.uses > 0) return;
    this.byKey.delete(identity.key);
    this.index.remove(identityWords(identity), identity);
    this.ledger.drop(identity);
    this.numbers.release(identity.id);
  }

  private add(
    key: string,
    { namespace, labels, ports }: Pick<PolicyPod, 'namespace' | 'labels' | 'ports'>,
    network: string,
  ): Identity {
    const identity: Identity = {
      id: this.numbers.take(),
      key,
      namespace,
      labels,
      network,
      ports,
      uses: 0,
      locals: new Set(),
      sets: new Set(),
      ingress: undefined,
      egress: undefined,
    };
    this.byKey.set(key, identity);
    this.index.add(identityWords(identity), identity);
    this.ledger.mark(identity);
    return identity;
  }
}

/** What selectors' anchors name. */
export function identityWords({ namespace, labels }: Pick<PolicyPod, 'namespace' | 'labels'>): string[] {
  return [...wordsOf(namespace, labels), ...wordsOf(ANYWHERE, labels)];
}

export function identitySpec({ id, sets }: Identity): PolicyIdentitySpec {
  return { id, sets: [...sets].map((set) => set.id) };
}

function identityKey(
  { namespace, labels, ports }: Pick<PolicyPod, 'namespace' | 'labels' | 'ports'>,
  network: string,
): string {
  const named = ports.map(({ name, protocol, port }) => `${name}=${protocol}/${port}`).sort();
  return `${namespace} ${network} ${named.join()} ${labelsKey(labels)}`;
}
