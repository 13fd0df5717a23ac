/**
 * A dry run: which connections of this node's pods would get another verdict if documents were applied or deleted. Nothing is written and
 * nothing of forwarding changes, but that connections are followed for as long as is asked for.
 *
 * Both verdicts come from the plan's judge: that of now from the one in force, the other from a plan of the candidate state.
 * There may be many connections; those alike are judged once, and others are let in between.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { FlowReader } from '../../dataplane/flows/flow-reader.js';
import type { DenialReader } from '../../dataplane/policy/denial-reader.js';
import type { Resource } from '../api/types.js';
import type {
  DryRunAnswer,
  DryRunDocument,
  DryRunRequest,
  FlowChange,
  FlowVerdict,
} from '../api/what-if-types.js';
import { invalid, PodwireError } from '../errors.js';
import { protocolName } from '../flows/flow-entry.js';
import { DEFAULT_NAMESPACE, KINDS, namespaceName, resourceName } from '../model/kinds.js';
import type { PolicyAnswer, PolicyEnd, PolicyQuestion, PolicyState } from '../policies/types.js';
import { keyOfResource, parseDocuments } from './documents.js';
import { type FlowGroup, FlowGroups } from './flow-groups.js';
import { candidateOf, isPolicy, isSameResource, planFor, type ResourceName } from './policy-state.js';

const MOST_CHANGES = 1000;
/** What was refused within so long (ms) counts as a connection that somebody wants. */
const LATELY = 60_000;
/** Entries of the flow table that are looked at in one go, and groups that are judged. */
const STEP = 4096;
const JUDGED = 64;

export interface DryRunParts {
  readonly node: string;
  readonly state: () => PolicyState;
  /** As policies are in force. */
  readonly judge: (question: PolicyQuestion) => PolicyAnswer;
  /** Follows connections of all pods until what it resolves with is called. */
  readonly follow: () => Promise<() => void>;
  readonly reader: FlowReader;
  readonly denials: Pick<DenialReader, 'recent'>;
  /** Of the clock that the engines have (ms). */
  readonly now: () => number;
  /** @param key NAMESPACE/NAME, or the name of what is in no namespace. */
  readonly find: (kind: Resource['kind'], key: string) => Resource | undefined;
}

export class DryRun {
  constructor(private readonly parts: DryRunParts) {}

  /** @throws PodwireError INVALID, UNSUPPORTED, NOT_FOUND, naming the field; then nothing was observed */
  async run(request: DryRunRequest, gone?: AbortSignal): Promise<DryRunAnswer> {
    const apply = parseDocuments(request.apply ?? [], 'apply');
    const deleted = this.names(request.delete ?? []);
    const documents = [
      ...apply.map((resource) => this.applied(resource)),
      ...deleted.map((name) => ({ ...name, outcome: 'deleted' as const, concerns: CONCERNS.has(name.kind) })),
    ];
    await this.observe(1000 * (request.observe ?? 0), gone);
    const state = this.parts.state();
    const after = candidateOf(state, { apply, delete: deleted });
    const { groups, flows } = await this.groups(state);
    const sums = new Sums(this.parts.judge, after);
    let judged = 0;
    for (const group of groups.all()) {
      sums.add(group);
      if (++judged % JUDGED === 0) await turn();
    }
    return { node: this.parts.node, documents, flows, ...sums.result() };
  }

  /** For so long (ms), or until whoever asked has gone. */
  private async observe(ms: number, gone: AbortSignal | undefined): Promise<void> {
    if (ms <= 0 || gone?.aborted === true) return;
    const end = await this.parts.follow();
    try {
      await pause(ms, undefined, { ref: false, ...(gone && { signal: gone }) }).catch(() => {});
    } finally {
      end();
    }
  }

  /** @throws PodwireError INVALID, NOT_FOUND */
  private names(names: NonNullable<DryRunRequest['delete']>): ResourceName[] {
    return names.map((one, index) => {
      const place = `delete[${index}]`;
      const info = KINDS.find(({ kind }) => kind === one.kind);
      if (info === undefined) throw invalid(`${place}.kind`, `'${one.kind}' is no kind of podwire's`);
      const { kind } = info;
      const name = resourceName(one.name);
      const namespace = info.namespaced ? namespaceName(one.namespace ?? DEFAULT_NAMESPACE) : undefined;
      const key = namespace === undefined ? name : `${namespace}/${name}`;
      if (this.parts.find(kind, key) !== undefined) return { kind, name, ...(namespace && { namespace }) };
      throw new PodwireError('NOT_FOUND', `${place}: there is no ${kind} ${key}`, place);
    });
  }

  private applied(resource: Resource): DryRunDocument {
    const { kind, metadata } = resource;
    const before = this.parts.find(kind, keyOfResource(resource));
    const outcome =
      before === undefined ? 'created' : isSameResource(before, resource) ? 'unchanged' : 'configured';
    const { name, namespace } = metadata;
    return {
      kind,
      ...(namespace !== undefined && { namespace }),
      name,
      outcome,
      concerns: CONCERNS.has(kind) || isPolicy(resource),
    };
  }

  private async groups(state: PolicyState): Promise<{ groups: FlowGroups; flows: number }> {
    const { reader, now } = this.parts;
    const groups = new FlowGroups(state);
    groups.addRefused(this.parts.denials.recent(now()).filter(({ age }) => age <= LATELY));
    let flows = 0;
    for (let place = 0; place >= 0; ) {
      place = reader.read(place, STEP, now(), (row) => {
        flows++;
        groups.add(row);
      });
      await turn();
    }
    return { groups, flows: flows + groups.finish() };
  }
}

/** Kinds that verdicts can depend on. */
const CONCERNS: ReadonlySet<Resource['kind']> = new Set([
  'NetworkPolicy',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
  'Namespace',
  'Pod',
]);

class Sums {
  private refused = 0;
  private allowed = 0;
  private ended = 0;
  private readonly changes: FlowChange[] = [];
  private readonly plan: ReturnType<typeof planFor>;

  constructor(
    private readonly judge: DryRunParts['judge'],
    private readonly candidate: PolicyState,
  ) {
    this.plan = planFor(candidate);
  }

  add({ from, to, question, flows }: FlowGroup): void {
    if (this.isGone(question.from) || this.isGone(question.to)) {
      this.ended += flows;
      return;
    }
    const now = verdictOf(this.judge(question));
    const after = verdictOf(this.plan.judge(question));
    if (now.allowed === after.allowed) return;
    if (now.allowed) this.refused += flows;
    else this.allowed += flows;
    const { protocol, port } = question;
    const place = { protocol: protocolName(protocol), ...(port !== undefined && { port }) };
    this.changes.push({ from, to, ...place, flows, now, after });
  }

  result(): Omit<DryRunAnswer, 'node' | 'documents' | 'flows'> {
    const { refused, allowed, ended } = this;
    const changes = this.changes.sort((a, b) => b.flows - a.flows);
    const truncated = changes.length > MOST_CHANGES;
    return { refused, allowed, ended, changes: changes.slice(0, MOST_CHANGES), truncated };
  }

  private isGone(end: PolicyEnd): boolean {
    return 'pod' in end && !this.candidate.pods.has(end.pod);
  }
}

function verdictOf({ egress, ingress }: PolicyAnswer): FlowVerdict {
  return { allowed: egress.allowed && ingress.allowed, egress, ingress };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
