/**
 * A ruleset as words, one after the other, as verdict.ts reads them:
 *
 *     number of tiers
 *     for each tier   TIER: number of rules, what holds where none matches, its note
 *     for each rule   RULE: action and marks, note, words of it all, how many of each of what follows
 *                     ports    2 words: protocol and port in one number, first and last; in order, none touches the next
 *                     sets     1 word
 *                     ranges   of IPv4 2 words, of IPv6 8 (address-ranges.ts)
 *
 * Control path; plain arrays.
 */
import {
  MOST_NOTES,
  POLICY_ACTIONS,
  type PolicyPorts,
  type PolicyRuleSpec,
  type PolicyTierSpec,
  type RulesetSpec,
} from '../policy-spec.js';
import { SERVICE_PROTOCOLS } from '../services/service.js';
import { requireInteger, TABLE_ERROR, TableError } from '../tables/table-error.js';
import { RANGE4_WORDS, RANGE6_WORDS, rangesOf } from './address-ranges.js';

/** Numbers of sets and identities are below it. */
export const MOST_MEMBERS = 1 << 20;

export const TIER = { RULES: 0, OTHERWISE: 1, NOTE: 2 } as const;
export const TIER_WORDS = 3;
export const RULE = { META: 0, NOTE: 1, SIZE: 2, PORTS: 3, SETS: 4, RANGES4: 5, RANGES6: 6 } as const;
export const RULE_WORDS = 7;

/** Of a rule's META, and of OTHERWISE; PASS in place of `next`, too: the next tier decides. */
export const ACTION = { ALLOW: 0, DENY: 1, PASS: 2 } as const;
export const ACTION_MASK = 3;
/** Marks in META: the rule has no peers, no ports, which is to say any. */
export const ANY_PEER = 4;
export const ANY_PORT = 8;

/** The protocol of a number out of `ports` lies above these bits, the port in them. */
export const PROTOCOL_SHIFT = 16;
export const MOST_PORT = 0xffff;

const OTHERWISE = { allow: ACTION.ALLOW, deny: ACTION.DENY, next: ACTION.PASS } as const;

/** @throws TableError naming the rule */
export function wordsOfRuleset({ id, tiers }: RulesetSpec): number[] {
  const words = tiers.map((tier, index) => wordsOfTier(tier, `ruleset ${id}, tier ${index}`));
  return [tiers.length, ...words.flat()];
}

function wordsOfTier({ rules, otherwise, note }: PolicyTierSpec, what: string): number[] {
  const action = OTHERWISE[otherwise];
  if (action === undefined) {
    throw new TableError(TABLE_ERROR.invalid, `${what}: '${otherwise}' is not next, allow or deny`);
  }
  requireInteger(`${what}: note`, note, action === ACTION.PASS ? 0 : 1, MOST_NOTES - 1);
  const words = rules.map((rule, index) => wordsOfRule(rule, `${what}, rule ${index}`));
  return [rules.length, action, note, ...words.flat()];
}

function wordsOfRule({ action, note, peers, ports }: PolicyRuleSpec, what: string): number[] {
  requireInteger(`${what}: note`, note, 1, MOST_NOTES - 1);
  const sets = [...new Set(peers?.sets ?? [])].sort((a, b) => a - b);
  for (const set of sets) requireInteger(`${what}: set`, set, 0, MOST_MEMBERS - 1);
  const { v4, v6 } = rangesOf(peers?.blocks ?? [], what);
  const keys = keysOf(ports ?? [], what);
  const data = [...keys, ...sets, ...v4, ...v6];
  const meta = metaOf(action, what) | (peers ? 0 : ANY_PEER) | (ports ? 0 : ANY_PORT);
  const counts = [keys.length / 2, sets.length, v4.length / RANGE4_WORDS, v6.length / RANGE6_WORDS];
  return [meta, note, RULE_WORDS + data.length, ...counts, ...data];
}

function metaOf(action: string, what: string): number {
  const index = (POLICY_ACTIONS as readonly string[]).indexOf(action);
  if (index >= 0) return index;
  throw new TableError(TABLE_ERROR.invalid, `${what}: '${action}' is not ${POLICY_ACTIONS.join(', ')}`);
}

/** Ranges of protocol and port, first and last, those that touch joined. */
function keysOf(ports: readonly PolicyPorts[], what: string): number[] {
  const ranges = ports.map((range) => rangeOf(range, what)).sort(([a], [b]) => a - b);
  const joined: [number, number][] = [];
  for (const [from, to] of ranges) {
    const before = joined[joined.length - 1];
    if (before === undefined || from > before[1] + 1) joined.push([from, to]);
    else before[1] = Math.max(before[1], to);
  }
  return joined.flat();
}

function rangeOf({ protocol, from, to }: PolicyPorts, what: string): [number, number] {
  const number = SERVICE_PROTOCOLS[protocol];
  if (number === undefined) {
    throw new TableError(TABLE_ERROR.invalid, `${what}: '${protocol}' is not TCP, UDP or SCTP`);
  }
  requireInteger(`${what}: port`, from, 0, MOST_PORT);
  requireInteger(`${what}: last port of the range`, to, from, MOST_PORT);
  return [(number << PROTOCOL_SHIFT) | from, (number << PROTOCOL_SHIFT) | to];
}
