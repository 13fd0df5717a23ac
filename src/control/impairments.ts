/**
 * Impairments: the resources, and what is in force of them. Changes come one at a time; each is in force before it is
 * recorded, and is taken back where it cannot be. A pod that an impairment names need not be there: it is impaired from
 * the moment it is attached.
 */
import { isDeepStrictEqual } from 'node:util';
import { MAX_IMPAIRMENTS } from '../dataplane/constants.js';
import type { Impairment } from './api/types.js';
import { type DirectedPair, directionsOf, type PlannedImpairment, whereDone } from './compile-impairments.js';
import { PodwireError } from './errors.js';
import type { KeyedLock } from './keyed-lock.js';
import type { Logger } from './logger.js';
import { plannedImpairment } from './model/impairment.js';
import type { PutResult } from './networks.js';
import { checkVersion, type Records, stampMeta } from './records.js';

/** Of the lock: no pod's key is a word alone. */
const LOCK = 'impairments';

export interface ImpairmentsParts {
  readonly records: Records<Impairment>;
  readonly lock: KeyedLock;
  readonly log: Logger;
  /** Whether a pod, by its key, has an interface that forwards. */
  readonly isUp: (pod: string) => boolean;
  /** Puts in force what `planned` answers. */
  readonly publish: () => Promise<void>;
}

export class Impairments {
  private readonly live = new Map<string, Impairment>();

  constructor(private readonly parts: ImpairmentsParts) {}

  async load(): Promise<void> {
    const { records } = this.parts;
    await records.load();
    for (const [name, impairment] of records.list()) this.live.set(name, impairment);
  }

  /** The oldest first, so that one more leaves the places of the others as they are. */
  planned(): PlannedImpairment[] {
    return [...this.live.values()].sort(byAge).map(plannedImpairment);
  }

  /** @throws PodwireError NOT_FOUND */
  view(name: string): Impairment {
    const impairment = this.need(name);
    const resourceVersion = String(this.parts.records.revision(name));
    return {
      ...impairment,
      metadata: { ...impairment.metadata, resourceVersion },
      status: this.statusOf(impairment),
    };
  }

  /** Sorted by name. */
  list(): Impairment[] {
    const recorded = this.parts.records.list().map(([name]) => name);
    return recorded.filter((name) => this.live.has(name)).map((name) => this.view(name));
  }

  /** @throws PodwireError CONFLICT, IMPAIRMENTS_EXHAUSTED */
  put(name: string, given: Impairment): Promise<PutResult> {
    return this.parts.lock.run(LOCK, async () => {
      const { records, log } = this.parts;
      const existing = records.get(name);
      checkVersion(`impairment ${name}`, given.metadata, records.revision(name));
      const impairment = { ...given, metadata: stampMeta(given.metadata, existing?.metadata) };
      if (isDeepStrictEqual(impairment, existing)) return 'unchanged';
      const others = [...this.live].filter(([other]) => other !== name);
      refuseSamePair(impairment, others);
      refuseTooMany(
        impairment,
        others.map(([, other]) => other),
      );
      await this.replace(name, impairment, () => records.save(name, impairment));
      log.info({ impairment: name, ...impairment.spec }, 'impairment in force');
      return existing ? 'configured' : 'created';
    });
  }

  /** @throws PodwireError NOT_FOUND */
  delete(name: string): Promise<Impairment> {
    return this.parts.lock.run(LOCK, async () => {
      const view = this.view(name);
      await this.replace(name, undefined, () => this.parts.records.remove(name));
      this.parts.log.info({ impairment: name }, 'impairment deleted');
      return view;
    });
  }

  private async replace(
    name: string,
    after: Impairment | undefined,
    record: () => Promise<void>,
  ): Promise<void> {
    const before = this.live.get(name);
    this.set(name, after);
    try {
      await this.parts.publish();
      await record();
    } catch (error) {
      this.set(name, before);
      await this.parts.publish().catch((failure) => {
        this.parts.log.error({ impairment: name, error: String(failure) }, 'undo failed');
      });
      throw error;
    }
  }

  private set(name: string, impairment: Impairment | undefined): void {
    if (impairment) this.live.set(name, impairment);
    else this.live.delete(name);
  }

  private need(name: string): Impairment {
    const impairment = this.live.get(name);
    if (impairment) return impairment;
    const message = `there is no impairment ${name}; 'podwire get impairments' lists them`;
    throw new PodwireError('NOT_FOUND', message);
  }

  private statusOf({ spec: { from, to } }: Impairment): NonNullable<Impairment['status']> {
    const missing = [from.pod, to.pod].filter((pod) => pod !== undefined && !this.parts.isUp(pod));
    if (missing.length === 0) return { inForce: true };
    const pods = missing.length === 1 ? `pod ${missing[0]} is` : `pods ${missing.join(' and ')} are`;
    return { inForce: false, message: `${pods} not attached on this node` };
  }
}

function byAge(a: Impairment, b: Impairment): number {
  const key = ({ metadata: { creationTimestamp = '', name } }: Impairment) => `${creationTimestamp} ${name}`;
  return key(a) < key(b) ? -1 : 1;
}

function pairText([source, destination]: DirectedPair): string {
  const [from, to] = [source, destination].map((end) => (end.kind === 'pod' ? `pod ${end.key}` : end.cidr));
  return `${from} to ${to}`;
}

/** Two that say something of the same packets: which of them counts, nobody could tell. */
function refuseSamePair(given: Impairment, others: readonly (readonly [string, Impairment])[]): void {
  const wanted = new Set(directionsOf(plannedImpairment(given)).map(pairText));
  for (const [name, other] of others) {
    const same = directionsOf(plannedImpairment(other))
      .map(pairText)
      .find((text) => wanted.has(text));
    if (same === undefined) continue;
    throw new PodwireError(
      'CONFLICT',
      `impairment ${name} says already what becomes of packets from ${same}: change that, or delete it`,
      'spec',
    );
  }
}

/** What the data plane would not take must never be part of what is published: then nothing else would be either. */
function refuseTooMany(given: Impairment, others: readonly Impairment[]): void {
  const counts = new Map<string, number>();
  for (const impairment of [...others, given]) {
    for (const pair of directionsOf(plannedImpairment(impairment))) {
      const done = whereDone(pair);
      if (!done) continue;
      const key = `${done.direction} ${done.pod}`;
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      if (count <= MAX_IMPAIRMENTS) continue;
      throw new PodwireError(
        'IMPAIRMENTS_EXHAUSTED',
        `pod ${done.pod} has ${MAX_IMPAIRMENTS} impairments already, as many as there can be in a direction: use a wider cidr`,
      );
    }
  }
}
