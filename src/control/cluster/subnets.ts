/**
 * The subnets of this node: leased from the cluster CIDRs, held by compare-and-swap, given up when another has them.
 *
 * What is held is followed in the store. A record of ours that somebody put into quarantine, deleted, or that the store
 * has lost, is claimed again; one that another node has is lost: `onLost` is called at once and this node uses it
 * no more. It never takes it back. Records and their blocks: subnet-records.ts; those of nodes that have gone:
 * subnet-keeper.ts.
 */
import { Backoff } from '../backoff.js';
import { encloses } from '../cidr.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';
import { asPodwireError, PodwireError } from '../errors.js';
import { KeyedLock } from '../keyed-lock.js';
import { Mirror, type MirrorChange } from '../store/mirror.js';
import type { Entry, Store } from '../store/store.js';
import { Undo } from '../undo.js';
import { ALIVE } from './session.js';
import { type Claim, type Holder, SubnetClaims } from './subnet-claims.js';
import { type KeeperTimes, SubnetKeeper } from './subnet-keeper.js';
import {
  BLOCKS,
  type BlockLengths,
  blockOfKey,
  blocksOf,
  choices,
  isFree,
  readSubnet,
  SUBNETS,
  type SubnetRecord,
} from './subnet-records.js';

export { blocksOf, ownerOfRecord, readSubnet, SUBNETS } from './subnet-records.js';

export interface OwnedSubnet {
  readonly cidr: string;
  /** Higher than that of every earlier holder, as long as the store keeps its data. */
  readonly fence: number;
}

export interface SubnetOwner extends OwnedSubnet {
  readonly node: string;
  readonly uid: string;
  readonly state: SubnetRecord['state'];
}

export interface SubnetOptions extends KeeperTimes {
  readonly store: Store;
  readonly node: string;
  /** Of this node's data directory: with it a node has its own back. */
  readonly uid: string;
  /** One of each family at most. */
  readonly clusterCidrs: readonly string[];
  readonly blocks?: BlockLengths;
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Something failed that is tried again. */
  readonly onError?: (error: PodwireError) => void;
}

export type LostListener = (cidr: string, why: string) => void;
/** @param reset the store has lost its data: nobody need have released it. */
export type OwnerListener = (block: string, owner: SubnetOwner | undefined, reset: boolean) => void;

/** A node that has lost this often looks at 2 to the power of it for one that is free. */
const MOST_SPREAD = 10;
/** Everything that writes is done one after the other. */
const LOCK = 'subnets';

export class SubnetLeases {
  private readonly self: Holder;
  private readonly clock: Clock;
  private readonly lengths: BlockLengths;
  private readonly claims: SubnetClaims;
  private readonly subnets: Mirror;
  private readonly alive: Mirror;
  private readonly lock = new KeyedLock();
  private readonly backoff: Backoff;
  private readonly lostListeners: LostListener[] = [];
  private readonly ownerListeners: OwnerListener[] = [];
  private keeper: SubnetKeeper | undefined;
  private held: Claim[] = [];
  private retry: Timer | undefined;
  private closed = false;

  constructor(private readonly options: SubnetOptions) {
    const { store, node, uid, onError } = options;
    this.self = { node, uid };
    this.clock = options.clock ?? SYSTEM_CLOCK;
    this.lengths = options.blocks ?? BLOCKS;
    this.claims = new SubnetClaims(store, this.lengths);
    const backoff = (): Backoff => new Backoff(undefined, undefined, options.random);
    this.backoff = backoff();
    const common = { clock: this.clock, ...(onError && { onError }) };
    this.subnets = new Mirror(store, {
      ...common,
      backoff: backoff(),
      prefix: SUBNETS,
      onChange: (change) => this.changed(change),
      onSynced: () => this.reviewChanged(),
    });
    this.alive = new Mirror(store, { ...common, backoff: backoff(), prefix: ALIVE });
  }

  /** Follows the store and keeps house; resolves when it has listed. */
  async start(): Promise<void> {
    await Promise.all([this.subnets.start(), this.alive.start()]);
    if (this.closed) return;
    this.keeper = new SubnetKeeper({
      ...this.options,
      subnets: this.subnets,
      alive: this.alive,
      claims: this.claims,
      clock: this.clock,
      onError: (error) => this.report(error),
    });
  }

  close(): void {
    this.closed = true;
    this.retry?.cancel();
    this.keeper?.stop();
    this.subnets.close();
    this.alive.close();
  }

  /** What is held now, IPv4 first where it was acquired so. */
  get owned(): readonly OwnedSubnet[] {
    return this.held.map(owned);
  }

  onLost(listener: LostListener): void {
    this.lostListeners.push(listener);
  }

  /** Who has which block, as far as this node has heard. */
  subnetOwners(): ReadonlyMap<string, SubnetOwner> {
    const owners = new Map<string, SubnetOwner>();
    for (const { key, value, revision } of this.subnets.all.values()) {
      const owner = ownerOf(value, revision);
      if (owner) owners.set(blockOfKey(key), owner);
    }
    return owners;
  }

  onOwners(listener: OwnerListener): void {
    this.ownerListeners.push(listener);
  }

  /**
   * Makes these this node's subnets, or one of each cluster CIDR: what it had before where that can be, else the lowest
   * free. All or none; what it held otherwise goes into quarantine.
   * @throws PodwireError SUBNET_TAKEN, SUBNETS_EXHAUSTED, STORE_UNREACHABLE
   */
  acquire(wanted?: readonly string[]): Promise<OwnedSubnet[]> {
    return this.lock.run(LOCK, async () => {
      const undo = new Undo();
      try {
        const claims: Claim[] = [];
        for (const cidr of wanted ?? []) claims.push(await this.claims.claim(this.self, cidr, undo));
        for (const cidr of wanted ? [] : this.options.clusterCidrs)
          claims.push(await this.choose(cidr, undo));
        this.held = claims;
      } catch (error) {
        await undo.run((failed) => this.report(failed));
        throw error;
      }
      await this.releaseOthers();
      return this.held.map(owned);
    });
  }

  /** Gives everything back: it goes into quarantine, and this node may have it again. */
  release(): Promise<void> {
    return this.lock.run(LOCK, async () => {
      this.held = [];
      await this.claims.releaseOthers(this.self);
    });
  }

  /** Makes sure of what is held: claims again what is not there, and tells what another has. Goes on by itself. */
  reassert(): Promise<void> {
    return this.lock.run(LOCK, () => this.review());
  }

  /** Makes these the subnets of a node that was applied by hand, and no others. @throws PodwireError SUBNET_TAKEN */
  async claimFor(node: string, cidrs: readonly string[]): Promise<void> {
    await this.claims.claimAll(manual(node), cidrs);
    await this.claims.releaseOthers(manual(node), cidrs);
  }

  async releaseFor(node: string): Promise<void> {
    await this.claims.releaseOthers(manual(node));
  }

  private async choose(clusterCidr: string, undo: Undo): Promise<Claim> {
    for (let attempt = 0; ; attempt++) {
      const { entries } = await this.options.store.list(SUBNETS);
      for (const cidr of [
        ...this.earlier(entries, clusterCidr),
        ...this.free(entries, clusterCidr, attempt),
      ]) {
        const own = new Undo();
        try {
          const claim = await this.claims.claim(this.self, cidr, own);
          undo.add(() => own.run((failed) => this.report(failed)));
          return claim;
        } catch (error) {
          await own.run((failed) => this.report(failed));
          if (asPodwireError(error).code !== 'SUBNET_TAKEN') throw error;
        }
      }
    }
  }

  /** What this node had of it, what it holds first. */
  private earlier(entries: readonly Entry[], clusterCidr: string): string[] {
    const own = entries.flatMap(({ value }) => {
      const record = readSubnet(value);
      return record?.uid === this.self.uid && encloses(clusterCidr, record.cidr) ? [record] : [];
    });
    const held = own.filter(({ state }) => state === 'held');
    return [...new Set([...held, ...own].map(({ cidr }) => cidr))];
  }

  /**
   * The lowest free one; after each attempt that lost against another node, any of twice as many, so that many nodes
   * that start together find theirs soon.
   */
  private free(entries: readonly Entry[], clusterCidr: string, attempt: number): string[] {
    const keys = entries.map(({ key }) => blockOfKey(key));
    const taken = new Set(keys);
    const usual = Object.values(this.lengths).map((length) => `/${length}`);
    const unusual = keys.filter((block) => !usual.some((suffix) => block.endsWith(suffix)));
    const found: string[] = [];
    for (const cidr of choices(clusterCidr, this.lengths)) {
      if (blocksOf(cidr, this.lengths).some((block) => taken.has(block)) || !isFree(cidr, unusual)) continue;
      found.push(cidr);
      if (found.length >= 2 ** Math.min(attempt, MOST_SPREAD)) break;
    }
    if (found.length > 0) return [found[Math.floor((this.options.random ?? Math.random)() * found.length)]];
    throw new PodwireError(
      'SUBNETS_EXHAUSTED',
      `every subnet of ${clusterCidr} is taken or in quarantine: give the cluster a larger prefix, or wait`,
    );
  }

  private changed({ key, value, revision, reset }: MirrorChange): void {
    const block = blockOfKey(key);
    for (const listener of this.ownerListeners) listener(block, ownerOf(value, revision), reset);
    const claim = this.held.find(({ blocks }) => blocks.has(block));
    if (!claim) return;
    const fence = claim.blocks.get(block) ?? 0;
    const record = readSubnet(value);
    if (record && record.uid !== this.self.uid && !reset && revision > fence)
      this.lose(claim, heldBy(record));
    else if (reset || revision > fence) this.reviewSoon(0);
  }

  /** After a listing: whatever is not as it was written here. */
  private reviewChanged(): void {
    const same = ({ blocks }: Claim) =>
      [...blocks].every(([block, fence]) => this.subnets.get(SUBNETS + block)?.revision === fence);
    if (!this.held.every(same)) this.reviewSoon(0);
  }

  private reviewSoon(ms: number): void {
    if (this.closed) return;
    this.retry?.cancel();
    this.retry = this.clock.after(ms, () => {
      this.reassert().then(
        () => this.backoff.reset(),
        (error) => {
          this.report(error);
          this.reviewSoon(this.backoff.next());
        },
      );
    });
  }

  private async review(): Promise<void> {
    for (const claim of this.held) {
      const undo = new Undo();
      try {
        const again = await this.claims.claim(this.self, claim.cidr, undo);
        this.held = this.held.map((other) => (other.cidr === claim.cidr ? again : other));
      } catch (error) {
        const known = asPodwireError(error);
        if (known.code !== 'SUBNET_TAKEN') throw error;
        await undo.run((failed) => this.report(failed));
        this.lose(claim, known.message);
      }
    }
  }

  private lose(claim: Claim, why: string): void {
    if (!this.held.some(({ cidr }) => cidr === claim.cidr)) return;
    this.held = this.held.filter(({ cidr }) => cidr !== claim.cidr);
    for (const listener of this.lostListeners) listener(claim.cidr, why);
    // Other blocks of the same claim are still ours.
    if (claim.blocks.size > 1) void this.lock.run(LOCK, () => this.releaseOthers());
  }

  private async releaseOthers(): Promise<void> {
    try {
      await this.claims.releaseOthers(
        this.self,
        this.held.map(({ cidr }) => cidr),
      );
    } catch (error) {
      this.report(error);
    }
  }

  private report(error: unknown): void {
    this.options.onError?.(asPodwireError(error));
  }
}

function manual(node: string): Holder {
  return { node, uid: `manual:${node}`, manual: true };
}

function owned({ cidr, blocks }: Claim): OwnedSubnet {
  return { cidr, fence: Math.max(...blocks.values()) };
}

function ownerOf(value: MirrorChange['value'], fence: number): SubnetOwner | undefined {
  const record = readSubnet(value);
  if (!record) return undefined;
  const { cidr, node, uid, state } = record;
  return { cidr, node, uid, state, fence };
}

function heldBy({ cidr, node, state }: SubnetRecord): string {
  return `${cidr} ${state === 'held' ? 'belongs to' : 'is in quarantine after'} node ${node}`;
}
