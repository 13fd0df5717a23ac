/**
 * Who may reach whom: rulesets of this node's pods, which identities are in which sets, and who is at which address.
 *
 * What a packet asks goes `asks` (whether anybody wants to know at all), then identityOf, find4, find6 (who the other end is),
 * then `allows`, one way or the other. An engine has a table of its own and changes it between cycles; nothing is allocated but
 * by `change`.
 *
 * A port that is policed and was not told of is PENDING, and so is one whose ruleset has gone without it: closed rather than open.
 *
 * Costs of a change: what is in it, most of all its rules, and see memberships.ts. Memory: of a ruleset its words (ruleset-words.ts), a
 * fifth more at most, and what memberships.ts and known-addresses.ts say.
 */
import { MAX_PORTS } from '../constants.js';
import { IDENTITY_UNKNOWN, NO_NOTE, OPEN_RULESET, type PolicyChanges } from '../policy-spec.js';
import { type Block, WordStore } from '../tables/word-store.js';
import { KnownAddresses } from './known-addresses.js';
import { Memberships } from './memberships.js';
import { type ReadChanges, readChanges } from './read-changes.js';
import { Verdict } from './verdict.js';

/** Why packets of a port are looked at: rules for what comes to the pod, or what it sends; all are followed; it is closed. */
export const ASK = { INGRESS: 1, EGRESS: 2, FOLLOW: 4, PENDING: 8 } as const;

/** In place of a ruleset: nothing was told of the port. */
const UNTOLD = -1;

export class PolicyTable {
  /** That of the changes in force, or 0. */
  generation = 0;
  /** By port: bits of ASK; 0 where nobody asks, or the port is not policed. */
  readonly asks = new Uint8Array(MAX_PORTS);
  /**
   * By port: 1 where it has begun to ask after all could pass, until whoever wants to know that takes it away. Of a port that has been
   * closed until then there are no answers on their way.
   */
  readonly begun = new Uint8Array(MAX_PORTS);
  private readonly isOpen = new Uint8Array(MAX_PORTS);
  private readonly policed = new Uint8Array(MAX_PORTS);
  private readonly identities = new Int32Array(MAX_PORTS);
  private readonly ingress = new Int32Array(MAX_PORTS).fill(UNTOLD);
  private readonly egress = new Int32Array(MAX_PORTS).fill(UNTOLD);
  private readonly rulesets: (Block | undefined)[] = [];
  private readonly store: WordStore;
  private readonly memberships: Memberships;
  private readonly verdict: Verdict;
  private readonly addresses: KnownAddresses;
  private followsAll = false;

  /**
   * @param seed secret in operation: see tables/hash.ts
   * @param chunk words that rulesets, and rows of identities, take room for at a time; few for a table that is asked once
   */
  constructor(seed: number, chunk?: number) {
    this.store = new WordStore(chunk);
    this.memberships = new Memberships(chunk);
    this.verdict = new Verdict(this.memberships);
    this.addresses = new KnownAddresses(seed);
  }

  /** What decided in the last `allows`: a rule, or what holds where none matches; NO_NOTE where nothing did. */
  get note(): number {
    return this.verdict.note;
  }

  /** IDENTITY_UNKNOWN for the port of no pod. */
  identityOf(port: number): number {
    return port < MAX_PORTS ? this.identities[port] : IDENTITY_UNKNOWN;
  }

  /** Who is at the address, of those that are behind no port here. Zone: ROUTED_ZONE, or one more than the bridged domain. */
  find4(zone: number, address: number): number {
    return this.addresses.find4(zone, address);
  }

  find6(zone: number, w0: number, w1: number, w2: number, w3: number): number {
    return this.addresses.find6(zone, w0, w1, w2, w3);
  }

  /**
   * Whether the rules of the port let pass what is sent to its pod (ASK.INGRESS), or by it (ASK.EGRESS). Identity and address, in
   * four words, of IPv4 in the last one, are the other end's. Protocol: NOT_IP for what is not; destination port: NO_PORT where there is none, or it is not
   * known: then no rule for some ports matches, but one for all of the protocol's does.
   */
  allows(
    way: number,
    port: number,
    identity: number,
    address: Int32Array,
    isIpv6: boolean,
    protocol: number,
    destinationPort: number,
  ): boolean {
    const { verdict } = this;
    verdict.note = NO_NOTE;
    const id = way === ASK.INGRESS ? this.ingress[port] : this.egress[port];
    if (id === OPEN_RULESET) return true;
    if (id === UNTOLD) return this.policed[port] === 0;
    return verdict.ask(this.rulesets[id]!, identity, address, isIpv6, protocol, destinationPort);
  }

  /** Which ports of the snapshot in force are policed. */
  follow(policed: Uint8Array): void {
    this.policed.fill(0);
    this.policed.set(policed);
    this.askAll();
  }

  /** Its number is another pod's from now on, or nobody's: what was told of it is forgotten. */
  forgetPort(port: number): void {
    this.setPort(port, IDENTITY_UNKNOWN, UNTOLD, UNTOLD);
  }

  /** Allocates; between cycles only. Throws TableError naming the entry, and then has changed nothing. */
  change(changes: PolicyChanges): void {
    const { memberships } = this;
    const read = readChanges(changes, (id) => this.rulesets[id] !== undefined);
    if (read.cluster !== undefined) this.verdict.setCluster(read.cluster.v4, read.cluster.v6);
    this.setRulesets(changes.removedRulesets, read.rulesets);
    // Given twice in one list, the last one counts.
    const sets = new Map(changes.sets.map((set) => [set.id, set]));
    memberships.clearSets([...changes.removedSets, ...sets.keys()]);
    for (const id of changes.removedIdentities) memberships.remove(id);
    memberships.fillSets([...sets.values()]);
    for (const identity of changes.identities) memberships.setIdentity(identity);
    for (const address of read.addresses) this.addresses.apply(address);
    for (const { port, identity, ingress, egress } of changes.ports) {
      this.setPort(port, identity, ingress, egress);
    }
    this.setFollowing(changes.followsAll);
    this.generation = changes.generation;
  }

  private setRulesets(removed: readonly number[], added: ReadChanges['rulesets']): void {
    for (const id of removed) this.removeRuleset(id);
    // Before others are given their numbers.
    if (removed.length > 0) this.closeUnruled();
    for (const [id, words] of added) this.addRuleset(id, words);
  }

  private addRuleset(id: number, words: readonly number[]): void {
    this.removeRuleset(id);
    const block = this.store.allocate(words.length);
    block.words.set(words, block.base);
    while (this.rulesets.length <= id) this.rulesets.push(undefined);
    this.rulesets[id] = block;
  }

  private removeRuleset(id: number): void {
    const block = this.rulesets[id];
    if (block === undefined) return;
    this.store.release(block);
    this.rulesets[id] = undefined;
  }

  /** Ports whose ruleset is gone, until they are told of again: which they should be in the same change. */
  private closeUnruled(): void {
    for (let port = 0; port < MAX_PORTS; port++) {
      if (!this.isUnruled(this.ingress[port]) && !this.isUnruled(this.egress[port])) continue;
      this.setPort(port, this.identities[port], UNTOLD, UNTOLD);
    }
  }

  private isUnruled(id: number): boolean {
    return id > OPEN_RULESET && this.rulesets[id] === undefined;
  }

  private setPort(port: number, identity: number, ingress: number, egress: number): void {
    this.identities[port] = identity;
    this.ingress[port] = ingress;
    this.egress[port] = egress;
    this.askOf(port);
  }

  private setFollowing(followsAll: boolean | undefined): void {
    if (followsAll === undefined || followsAll === this.followsAll) return;
    this.followsAll = followsAll;
    this.askAll();
  }

  private askAll(): void {
    for (let port = 0; port < MAX_PORTS; port++) this.askOf(port);
  }

  private askOf(port: number): void {
    const ingress = this.ingress[port];
    const egress = this.egress[port];
    const wasOpen = this.isOpen[port] === 1;
    this.isOpen[port] = 0;
    if (this.policed[port] === 0) this.asks[port] = 0;
    else if (ingress === UNTOLD) this.asks[port] = ASK.PENDING;
    else {
      const ways = (ingress === OPEN_RULESET ? 0 : ASK.INGRESS) | (egress === OPEN_RULESET ? 0 : ASK.EGRESS);
      const asks = ways | (this.followsAll ? ASK.FOLLOW : 0);
      if (asks !== 0 && wasOpen) this.begun[port] = 1;
      this.isOpen[port] = asks === 0 ? 1 : 0;
      this.asks[port] = asks;
    }
  }
}
