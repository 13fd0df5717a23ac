/**
 * What would become of a packet: which pods it goes from and to, and what the policies of each say. The rules are evaluated
 * by a PolicyTable, which is the code that forwarding runs, over the rulesets that the plan has, or writes for the occasion,
 * since those of pods of other nodes are kept nowhere here. What forwarding allows before it asks any rule is said here:
 * a pod and its own node, and a pod and itself.
 *
 * A question costs a change of the table and a lookup; where a pod's ruleset is first to be written, that too.
 */

import { ASK, PolicyTable } from '../../dataplane/policy/policy-table.js';
import { NO_PORT } from '../../dataplane/policy/verdict.js';
import {
  IDENTITY_NODE,
  IDENTITY_UNKNOWN,
  OPEN_RULESET,
  type PolicyChanges,
  type RulesetSpec,
} from '../../dataplane/policy-spec.js';
import { parseIp } from '../../wire/address.js';
import { canonicalIp, type Family, familyOf } from '../cidr.js';
import { PodwireError } from '../errors.js';
import { type Identity, identitySpec, type Placed } from './identities.js';
import type {
  Direction,
  PolicyAnswer,
  PolicyEnd,
  PolicyFound,
  PolicyNode,
  PolicyNote,
  PolicyQuestion,
  PolicyVerdict,
} from './types.js';

export interface JudgeParts {
  /** By NAMESPACE/NAME, with or without @NODE. */
  readonly pods: (key: string) => readonly (readonly Placed[])[];
  readonly podAt: (address: string) => Placed | undefined;
  readonly node: (name: string) => PolicyNode | undefined;
  readonly nodeAt: (address: string) => PolicyNode | undefined;
  /** As it is for the duration of the call; undefined where nothing selects the pod. */
  readonly withRuleset: <T>(
    identity: Identity,
    direction: Direction,
    use: (ruleset: Omit<RulesetSpec, 'id'> | undefined) => T,
  ) => T;
  readonly clusterCidrs: () => readonly string[];
  readonly noteOf: (note: number) => PolicyNote | undefined;
}

/** One end: all that it may be. */
interface Candidate {
  readonly address?: string;
  readonly placed?: Placed;
  readonly node?: PolicyNode;
}

/** In the table of one pod. */
const PORT = 0;
const RULESET = OPEN_RULESET + 1;
const FAMILIES: readonly Family[] = [4, 6];

export class Judge {
  private readonly table = new PolicyTable(0);
  private generation = 0;
  private told: readonly string[] = [];
  /** In the table. */
  private known: number[] = [];

  constructor(private readonly parts: JudgeParts) {
    this.table.follow(Uint8Array.of(1));
  }

  /** @throws PodwireError NOT_FOUND; INVALID where a name is two pods’, or the ends have no addresses of one family */
  judge({ from, to, family, protocol, port }: PolicyQuestion): PolicyAnswer {
    const [sources, targets] = [this.look(from), this.look(to)];
    const chosen = (family ? [family] : FAMILIES).find((one) => has(sources, one) && has(targets, one));
    if (chosen === undefined) {
      const wanted = family === undefined ? 'one family' : `IPv${family}`;
      throw new PodwireError(
        'INVALID',
        `${nameOf(from)} and ${nameOf(to)} do not both have an address of ${wanted}`,
      );
    }
    const [source, target] = [pick(sources, chosen), pick(targets, chosen)];
    const ask = { protocol, port: port ?? NO_PORT };
    return {
      family: chosen,
      from: found(source),
      to: found(target),
      egress: this.verdict('egress', source, target, ask),
      ingress: this.verdict('ingress', target, source, ask),
    };
  }

  private look(end: PolicyEnd): readonly Candidate[] {
    if ('node' in end) return this.lookNode(end.node);
    if (!('pod' in end)) return [this.lookAddress(canonicalIp(end.address))];
    const pods = this.parts.pods(end.pod);
    if (pods.length === 0) throw new PodwireError('NOT_FOUND', `no pod ${end.pod} is known`);
    if (pods.length > 1) {
      const nodes = pods.map(([one]) => one?.pod.node).join(', ');
      throw new PodwireError(
        'INVALID',
        `nodes ${nodes} each have a pod ${end.pod}: say which by ${end.pod}@NODE`,
      );
    }
    return pods[0].flatMap((placed) => this.places(placed, end.address));
  }

  private places(placed: Placed, address: string | undefined): Candidate[] {
    const all = placed.at.ips.map((ip) => ({ address: ip, placed }));
    return address === undefined ? all : all.filter((one) => one.address === canonicalIp(address));
  }

  private lookNode(name: string): Candidate[] {
    const node = this.parts.node(name);
    if (!node) throw new PodwireError('NOT_FOUND', `no node ${name} is known`);
    return node.addresses.map((address) => ({ address, node }));
  }

  private lookAddress(address: string): Candidate {
    const placed = this.parts.podAt(address);
    if (placed) return { address, placed };
    const node = this.parts.nodeAt(address);
    return { address, ...(node && { node }) };
  }

  private verdict(
    direction: Direction,
    { placed }: Candidate,
    other: Candidate,
    ask: { readonly protocol: number; readonly port: number },
  ): PolicyVerdict {
    if (!placed) return { allowed: true, reason: 'outside' };
    if (other.placed?.pod === placed.pod) return { allowed: true, reason: 'self' };
    if (other.node?.name === placed.pod.node) return { allowed: true, reason: 'own-node' };
    return this.parts.withRuleset(placed.identity, direction, (ruleset) => {
      if (!ruleset) return { allowed: true, reason: 'open' };
      this.tell(direction, ruleset, other);
      return this.ask(direction, other, ask);
    });
  }

  private tell(direction: Direction, { tiers }: Omit<RulesetSpec, 'id'>, { placed }: Candidate): void {
    const clusterCidrs = this.parts.clusterCidrs();
    const changes: PolicyChanges = {
      generation: ++this.generation,
      ...(clusterCidrs !== this.told && { clusterCidrs }),
      removedRulesets: [],
      removedSets: [],
      removedIdentities: this.known,
      sets: [],
      identities: placed ? [identitySpec(placed.identity)] : [],
      rulesets: [{ id: RULESET, tiers }],
      addresses: [],
      ports: [
        {
          port: PORT,
          identity: IDENTITY_UNKNOWN,
          ingress: OPEN_RULESET,
          egress: OPEN_RULESET,
          [direction]: RULESET,
        },
      ],
    };
    this.told = clusterCidrs;
    this.known = changes.identities.map(({ id }) => id);
    this.table.change(changes);
  }

  private ask(
    direction: Direction,
    { address = '', placed, node }: Candidate,
    { protocol, port }: { readonly protocol: number; readonly port: number },
  ): PolicyVerdict {
    const identity = placed?.identity.id ?? (node ? IDENTITY_NODE : IDENTITY_UNKNOWN);
    const { words } = parseIp(address);
    const all = new Int32Array(4);
    all.set(words, all.length - words.length);
    const way = direction === 'ingress' ? ASK.INGRESS : ASK.EGRESS;
    const allowed = this.table.allows(way, PORT, identity, all, words.length > 1, protocol, port);
    const note = this.parts.noteOf(this.table.note);
    return { allowed, reason: 'policy', ...(note && { note }) };
  }
}

function has(candidates: readonly Candidate[], family: Family): boolean {
  return candidates.some(({ address }) => address !== undefined && familyOf(address) === family);
}

function pick(candidates: readonly Candidate[], family: Family): Candidate {
  return candidates.find(({ address }) => address !== undefined && familyOf(address) === family) ?? {};
}

function found({ address, placed, node }: Candidate): PolicyFound {
  return {
    ...(address !== undefined && { address }),
    ...(placed && { pod: placed.pod }),
    ...(node && { node: node.name }),
  };
}

function nameOf(end: PolicyEnd): string {
  if ('pod' in end) return `pod ${end.pod}`;
  return 'node' in end ? `node ${end.node}` : end.address;
}
