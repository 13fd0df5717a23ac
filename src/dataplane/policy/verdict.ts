/**
 * What a ruleset says of one packet: its rules one by one, tier after tier, until one decides.
 *
 * `ask` is told the question, and the methods after it look at rules; all of it is numbers, nothing is allocated. The cost grows
 * with the rules that are looked at; a rule is a handful of words, and what it asks of the identity a word of its row.
 */
import { IDENTITY_NODE, IDENTITY_UNKNOWN, NO_NOTE } from '../policy-spec.js';
import type { Block } from '../tables/word-store.js';
import { isInRanges4, isInRanges6, RANGE4_WORDS } from './address-ranges.js';
import { hasSet, type Memberships } from './memberships.js';
import {
  ACTION,
  ACTION_MASK,
  ANY_PEER,
  ANY_PORT,
  MOST_PORT,
  PROTOCOL_SHIFT,
  RULE,
  RULE_WORDS,
  TIER,
  TIER_WORDS,
} from './ruleset-words.js';

/** In place of a protocol: the packet is not IP. */
export const NOT_IP = -1;
/** In place of a destination port: there is none, or it is not known. */
export const NO_PORT = -1;

const NO_WORDS: Int32Array = new Int32Array(0);

export class Verdict {
  /** What decided last; NO_NOTE where nothing did. */
  note: number = NO_NOTE;
  /** The identity's row of bits. */
  private row = NO_WORDS;
  private rowBase = 0;
  private rowSize = 0;
  /** Of a pod that was not heard of yet: in the sets of rules that deny, and in no others. */
  private isStranger = false;
  private address = NO_WORDS;
  private isIpv6 = false;
  private protocol = 0;
  private port = 0;
  private cluster4 = NO_WORDS;
  private cluster6 = NO_WORDS;

  constructor(private readonly memberships: Memberships) {}

  /** Addresses in these ranges (address-ranges.ts) are pods' or nodes', known or not. */
  setCluster(v4: readonly number[], v6: readonly number[]): void {
    this.cluster4 = Int32Array.from(v4);
    this.cluster6 = Int32Array.from(v6);
  }

  /** Whether the ruleset lets it pass: to or from that identity, at that address. */
  ask(
    ruleset: Block,
    identity: number,
    address: Int32Array,
    isIpv6: boolean,
    protocol: number,
    port: number,
  ): boolean {
    this.address = address;
    this.isIpv6 = isIpv6;
    this.protocol = protocol;
    this.port = port;
    this.setIdentity(identity);
    return this.decide(ruleset.words, ruleset.base);
  }

  private setIdentity(identity: number): void {
    const row = this.memberships.row(identity);
    this.row = row === undefined ? NO_WORDS : row.words;
    this.rowBase = row === undefined ? 0 : row.base;
    this.rowSize = row === undefined ? 0 : row.size;
    this.isStranger = row === undefined && this.isOfCluster(identity);
  }

  /**
   * An identity that nothing was told of, or not any more, is a pod's. What is not IP is taken to be a pod's, too: there is no
   * address that says otherwise.
   */
  private isOfCluster(identity: number): boolean {
    if (identity === IDENTITY_NODE) return false;
    if (identity !== IDENTITY_UNKNOWN || this.protocol === NOT_IP) return true;
    const { cluster4, cluster6, address } = this;
    if (this.isIpv6) return isInRanges6(cluster6, 0, cluster6.length >>> 3, address);
    return isInRanges4(cluster4, 0, cluster4.length >>> 1, address[3]);
  }

  private decide(words: Int32Array, base: number): boolean {
    let at = base + 1;
    for (let tiers = words[base]; tiers > 0; tiers--) {
      let action: number = words[at + TIER.OTHERWISE];
      let note = words[at + TIER.NOTE];
      let rules = words[at + TIER.RULES];
      at += TIER_WORDS;
      for (; rules > 0; rules--) {
        if (this.matches(words, at)) {
          action = words[at + RULE.META] & ACTION_MASK;
          note = words[at + RULE.NOTE];
          break;
        }
        at += words[at + RULE.SIZE];
      }
      if (action !== ACTION.PASS) {
        this.note = note;
        return action === ACTION.ALLOW;
      }
      // On to the next tier.
      for (; rules > 0; rules--) at += words[at + RULE.SIZE];
    }
    this.note = NO_NOTE;
    return true;
  }

  private matches(words: Int32Array, at: number): boolean {
    const meta = words[at + RULE.META];
    if ((meta & ANY_PORT) === 0 && !this.matchesPort(words, at)) return false;
    return (meta & ANY_PEER) !== 0 || this.matchesPeer(words, at, meta & ACTION_MASK);
  }

  private matchesPort(words: Int32Array, at: number): boolean {
    const { protocol, port } = this;
    const from = at + RULE_WORDS;
    const end = from + 2 * words[at + RULE.PORTS];
    if (protocol === NOT_IP) return false;
    const first = protocol << PROTOCOL_SHIFT;
    if (port === NO_PORT) return hasAll(words, from, end, first);
    const key = first | port;
    for (let i = from; i < end && words[i] <= key; i += 2) if (key <= words[i + 1]) return true;
    return false;
  }

  private matchesPeer(words: Int32Array, at: number, action: number): boolean {
    const { row, rowBase, rowSize } = this;
    const sets = words[at + RULE.SETS];
    if (this.isStranger && sets > 0 && action === ACTION.DENY) return true;
    const from = at + RULE_WORDS + 2 * words[at + RULE.PORTS];
    for (let i = from; i < from + sets; i++) if (hasSet(row, rowBase, rowSize, words[i])) return true;
    return this.matchesBlock(words, at, from + sets);
  }

  private matchesBlock(words: Int32Array, at: number, ranges: number): boolean {
    if (this.protocol === NOT_IP) return false;
    const count4 = words[at + RULE.RANGES4];
    if (!this.isIpv6) return count4 > 0 && isInRanges4(words, ranges, count4, this.address[3]);
    const count6 = words[at + RULE.RANGES6];
    return count6 > 0 && isInRanges6(words, ranges + RANGE4_WORDS * count4, count6, this.address);
  }
}

/** Whether a range has all ports of the protocol, with or without the port 0. */
function hasAll(words: Int32Array, from: number, end: number, first: number): boolean {
  for (let i = from; i < end; i += 2) {
    if (words[i] >>> PROTOCOL_SHIFT !== first >>> PROTOCOL_SHIFT) continue;
    if (words[i] <= first + 1 && words[i + 1] === first + MOST_PORT) return true;
  }
  return false;
}
