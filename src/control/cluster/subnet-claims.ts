/**
 * Claims of subnets by compare-and-swap, for this node or for one applied by hand.
 *
 * A claim of several blocks is several writes. Where one of them fails, those before it are taken back, each only
 * if it is still as it was written.
 */
import { asPodwireError, PodwireError } from '../errors.js';
import { ABSENT, type Entry, type Json, type Store } from '../store/store.js';
import { Undo } from '../undo.js';
import { type BlockLengths, blocksOf, readSubnet, type SubnetRecord, subnetKey } from './subnet-records.js';

export interface Holder {
  readonly node: string;
  readonly uid: string;
  readonly manual?: true;
}

/** A subnet that is held: revision of the record of each of its blocks. */
export interface Claim {
  readonly cidr: string;
  readonly blocks: ReadonlyMap<string, number>;
}

/** Attempts at one block, of which each lost one means that somebody else has written. */
const ATTEMPTS = 20;

export class SubnetClaims {
  constructor(
    private readonly store: Store,
    private readonly lengths: BlockLengths,
  ) {}

  /** Takes all of these or none. What the holder has already it keeps. @throws PodwireError SUBNET_TAKEN */
  async claimAll(holder: Holder, cidrs: readonly string[]): Promise<Claim[]> {
    const undo = new Undo();
    try {
      const claims: Claim[] = [];
      for (const cidr of cidrs) claims.push(await this.claim(holder, cidr, undo));
      return claims;
    } catch (error) {
      await undo.run(() => {});
      throw error;
    }
  }

  /** @param undo gets what takes the claim back. @throws PodwireError SUBNET_TAKEN */
  async claim(holder: Holder, cidr: string, undo: Undo): Promise<Claim> {
    const blocks = new Map<string, number>();
    for (const block of blocksOf(cidr, this.lengths)) {
      blocks.set(block, await this.claimBlock(holder, cidr, block, undo));
    }
    return { cidr, blocks };
  }

  /** The record goes into quarantine, where it is still this holder's. Returns whether it is there now. */
  async quarantine(entry: Entry): Promise<boolean> {
    const record = readSubnet(entry.value);
    if (!record) return false;
    if (record.state === 'quarantined') return true;
    const { since: _, ...rest } = record;
    return this.swap(entry.key, { ...rest, state: 'quarantined', since: now() }, entry.revision);
  }

  /** Everything of this holder that is not of these prefixes goes into quarantine. */
  async releaseOthers(holder: Holder, keep: readonly string[] = []): Promise<void> {
    const kept = new Set(keep.flatMap((cidr) => blocksOf(cidr, this.lengths)).map(subnetKey));
    const { entries } = await this.store.list(subnetKey(''));
    for (const entry of entries) {
      if (readSubnet(entry.value)?.uid === holder.uid && !kept.has(entry.key)) await this.quarantine(entry);
    }
  }

  private async claimBlock(holder: Holder, cidr: string, block: string, undo: Undo): Promise<number> {
    const key = subnetKey(block);
    for (let attempt = 1; ; attempt++) {
      const found = await this.store.get(key);
      const record = found && this.refuseOther(holder, cidr, found);
      if (found && record?.state === 'held' && record.cidr === cidr) return found.revision;
      try {
        const revision = await this.store.put(key, recordOf(holder, cidr), found?.revision ?? ABSENT);
        undo.add(() => this.restore(key, found?.value, revision));
        return revision;
      } catch (error) {
        if (asPodwireError(error).code !== 'CONFLICT' || attempt === ATTEMPTS) throw error;
      }
    }
  }

  private refuseOther(holder: Holder, cidr: string, { key, value }: Entry): SubnetRecord {
    const record = readSubnet(value);
    if (record?.uid === holder.uid) return record;
    const whose = record
      ? `${record.state === 'held' ? 'belongs to' : 'is in quarantine after'} node ${record.node}`
      : 'has a record that cannot be read';
    throw new PodwireError('SUBNET_TAKEN', `${cidr}: ${key.slice(subnetKey('').length)} ${whose}`);
  }

  private async restore(key: string, before: Json | undefined, revision: number): Promise<void> {
    if (before === undefined) await this.store.delete(key, revision);
    else await this.store.put(key, before, revision);
  }

  private async swap(key: string, record: SubnetRecord, expected: number): Promise<boolean> {
    try {
      await this.store.put(key, { ...record } satisfies Json, expected);
      return true;
    } catch (error) {
      if (asPodwireError(error).code === 'CONFLICT') return false;
      throw error;
    }
  }
}

function recordOf({ node, uid, manual }: Holder, cidr: string): Json {
  return { cidr, node, uid, state: 'held', since: now(), ...(manual && { manual }) };
}

function now(): string {
  return new Date().toISOString();
}
