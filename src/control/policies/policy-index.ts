/** Which policies select a pod, and whom a policy may select, without looking at everything. */
import { asksForNames, type PolicyDraft } from './drafts.js';
import { type Identity, identityWords } from './identities.js';
import type { Namespaces } from './namespaces.js';
import { ANYWHERE, anchorsOf, matches, WordIndex } from './selectors.js';
import type { AnyPolicy, Direction } from './types.js';

/** What holds for a pod in one direction, each list in the order in which it decides. */
export interface Selecting {
  readonly admin: readonly PolicyDraft[];
  readonly policy: readonly PolicyDraft[];
  readonly baseline: readonly PolicyDraft[];
}

const TIERS = {
  AdminNetworkPolicy: 'admin',
  NetworkPolicy: 'policy',
  BaselineAdminNetworkPolicy: 'baseline',
} as const satisfies Record<AnyPolicy['kind'], keyof Selecting>;

export class PolicyIndex {
  private readonly drafts = new Map<string, PolicyDraft>();
  private readonly index = new WordIndex<PolicyDraft>();
  private admins = 0;

  constructor(private readonly namespaces: Namespaces) {}

  get(kind: AnyPolicy['kind'], key: string): PolicyDraft | undefined {
    return this.drafts.get(`${kind} ${key}`);
  }

  get all(): Iterable<PolicyDraft> {
    return this.drafts.values();
  }

  /** Whether labels of namespaces have a part in whom policies select. */
  get asksNamespaces(): boolean {
    return this.admins > 0;
  }

  add(key: string, draft: PolicyDraft): void {
    this.drafts.set(`${draft.name.kind} ${key}`, draft);
    this.index.add(subjectAnchors(draft), draft);
    if (!('namespace' in draft.subject)) this.admins++;
  }

  remove(key: string, draft: PolicyDraft): void {
    this.drafts.delete(`${draft.name.kind} ${key}`);
    this.index.remove(subjectAnchors(draft), draft);
    if (!('namespace' in draft.subject)) this.admins--;
  }

  selecting(identity: Identity): PolicyDraft[] {
    return [...this.index.find(identityWords(identity))].filter((draft) => this.selects(draft, identity));
  }

  selects({ subject }: PolicyDraft, { namespace, labels }: Identity): boolean {
    if ('namespace' in subject) {
      if (subject.namespace !== namespace) return false;
    } else if (!matches(subject.namespaces, this.namespaces.labelsOf(namespace))) return false;
    return matches(subject.pods, labels);
  }
}

/** @param drafts that select a pod; those without a word about the direction are left out. */
export function inOrder(drafts: readonly PolicyDraft[], direction: Direction): Selecting {
  const speaking = drafts.filter(({ rules }) => rules[direction] !== undefined).sort(compare);
  const of = (tier: keyof Selecting): PolicyDraft[] =>
    speaking.filter(({ name }) => TIERS[name.kind] === tier);
  return { admin: of('admin'), policy: of('policy'), baseline: of('baseline') };
}

/**
 * Pods with the same key have the same ruleset: the same versions of policies and, where these ask for ports by name, the same ports
 * or, for what they send, the same addresses to find them at.
 */
export function rulesetKey(
  direction: Direction,
  { admin, policy, baseline }: Selecting,
  { ports, space }: Pick<Identity, 'ports'> & { readonly space: string },
): string | undefined {
  const drafts = [...admin, ...policy, ...baseline];
  if (drafts.length === 0) return undefined;
  const versions = `${direction} ${drafts.map(({ serial }) => serial).join()}`;
  if (!drafts.some((draft) => asksForNames(draft, direction))) return versions;
  if (direction === 'egress') return `${versions} ${space}`;
  return `${versions} ${ports
    .map(({ name, protocol, port }) => `${name}=${protocol}/${port}`)
    .sort()
    .join()}`;
}

export function subjectAnchors({ subject }: PolicyDraft): string[] {
  return anchorsOf('namespace' in subject ? subject.namespace : ANYWHERE, subject.pods);
}

function compare(a: PolicyDraft, b: PolicyDraft): number {
  if (a.priority !== b.priority) return a.priority - b.priority;
  return nameOf(a) < nameOf(b) ? -1 : 1;
}

function nameOf({ name: { namespace = '', name } }: PolicyDraft): string {
  return `${namespace}/${name}`;
}
