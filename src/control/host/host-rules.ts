/**
 * Keeps podwire's table of nftables as it is wanted. Changes are gathered while nft runs. The table is looked at every two
 * seconds, and made again where somebody has flushed, deleted or edited it, as a firewall does that is started again. Who
 * has many services waits longer: looking may cost a fiftieth of the time.
 *
 * Asking costs a process and holds nothing open; a listener (`nft monitor`) would outlive a daemon that is killed, and misses
 * what happens before it listens.
 *
 * Without nft, or without the right to use it, what the switch does itself goes on: the log says so once and `problem` as long
 * as it is so. Rules stay when the daemon stops, as interfaces do.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';
import { asPodwireError } from '../errors.js';
import type { Logger } from '../logger.js';
import { type Listing, listTable, runNft } from './nft.js';
import { ELEMENT_SETS, type Elements, noElements } from './nft-elements.js';
import { renderRules, type WantedRules } from './nft-rules.js';

const LOOK_EVERY_MS = 2_000;
/** Share of the time that looking may take, inverted. */
const LOOK_SHARE = 50;
/** How often what failed is tried again. */
const RETRY_MS = 10_000;

/** What of the program nft is used; tests count its calls. */
export interface Nft {
  readonly run: (commands: string) => Promise<void>;
  readonly list: () => Promise<Listing | undefined>;
}

export interface HostRulesParts {
  readonly log: Logger;
  readonly clock?: Clock;
  readonly nft?: Nft;
}

export class HostRules {
  /** Change them, then call `changed`. */
  readonly elements: Elements = noElements();
  /** Why the rules are not in force. */
  problem: string | undefined;
  private wanted: WantedRules | undefined;
  /** What is in force. */
  private applied: WantedRules | undefined;
  /** What the kernel listed then, without elements. */
  private known: string | undefined;
  private lookAt = 0;
  private isNew = true;
  private running: Promise<void> = Promise.resolve();
  private next: Promise<void> | undefined;
  private timer: Timer | undefined;
  private isStopped = false;
  private readonly log: Logger;
  private readonly clock: Clock;
  private readonly nft: Nft;

  constructor({ log, clock = SYSTEM_CLOCK, nft = { run: runNft, list: listTable } }: HostRulesParts) {
    this.log = log;
    this.clock = clock;
    this.nft = nft;
  }

  /** Resolves when they are in force, or `problem` says why they are not. */
  want(wanted: WantedRules): Promise<void> {
    this.wanted = wanted;
    return this.changed();
  }

  /** After changes of `elements`. Resolves as `want`. */
  changed(): Promise<void> {
    if (this.next || this.isStopped) return this.next ?? this.running;
    const next = this.running.then(() => {
      this.next = undefined;
      return this.update();
    });
    this.next = next;
    this.running = next;
    return next;
  }

  /** Resolves when what was asked for until now is in force, as `want`. */
  settled(): Promise<void> {
    return this.running;
  }

  /** The rules stay. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    await this.running;
  }

  /** Never rejects. */
  private async update(): Promise<void> {
    if (!this.wanted || this.isStopped) return;
    try {
      await this.apply(this.wanted);
      this.succeeded();
    } catch (error) {
      this.failed(error);
      this.lookAt = this.clock.now() + RETRY_MS;
    }
    this.wait();
  }

  private async apply(wanted: WantedRules): Promise<void> {
    if (!isDeepStrictEqual(wanted, this.applied)) return this.applyAll(wanted);
    await this.applyChanges(wanted);
    if (this.clock.now() >= this.lookAt) await this.look(wanted);
  }

  private async applyAll(wanted: WantedRules): Promise<void> {
    this.applied = undefined;
    await this.nft.run(renderRules(wanted, this.elements));
    this.known = (await this.list())?.rules;
    this.applied = wanted;
  }

  /** What cannot be told as a change, for whatever reason, is told as a whole. */
  private async applyChanges(wanted: WantedRules): Promise<void> {
    const changes = Object.values(this.elements).flatMap((set) => set.takeChanges());
    if (changes.length === 0) return;
    try {
      await this.nft.run(`${changes.join('\n')}\n`);
    } catch {
      await this.applyAll(wanted);
    }
  }

  private async look(wanted: WantedRules): Promise<void> {
    const listing = await this.list();
    const isAsBefore =
      listing?.rules === this.known &&
      ELEMENT_SETS.every((name) => this.elements[name].accepts(listing?.elements[name] ?? []));
    if (isAsBefore) return;
    this.log.warn('rules of the host were changed by somebody else; made again');
    await this.applyAll(wanted);
  }

  private async list(): Promise<Listing | undefined> {
    const begun = this.clock.now();
    const listing = await this.nft.list();
    const now = this.clock.now();
    this.lookAt = now + Math.max(LOOK_EVERY_MS, LOOK_SHARE * (now - begun));
    return listing;
  }

  private succeeded(): void {
    if (this.problem !== undefined || this.isNew) this.log.info('rules of the host in force');
    this.isNew = false;
    this.problem = undefined;
  }

  private failed(error: unknown): void {
    this.applied = undefined;
    const { code, message } = asPodwireError(error);
    if (this.problem === message) return;
    this.problem = message;
    this.log.warn(
      { code, error: message },
      'rules of the host are not in force: no node ports and published ports from outside, no way out for pods',
    );
  }

  private wait(): void {
    this.timer?.cancel();
    if (this.isStopped) return;
    this.timer = this.clock.after(Math.max(1, this.lookAt - this.clock.now()), () => {
      this.changed();
    });
  }
}
