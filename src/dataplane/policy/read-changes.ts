/**
 * Reads PolicyChanges: all of it, before any of it is done, so that a change that cannot be is none at all. Control path.
 */
import { MAX_PORTS } from '../constants.js';
import {
  FIRST_IDENTITY,
  IDENTITY_UNKNOWN,
  OPEN_RULESET,
  type PolicyChanges,
  type PolicyIdentitySpec,
  type PolicyPortSpec,
  type PolicySetSpec,
} from '../policy-spec.js';
import { requireInteger, TABLE_ERROR, TableError } from '../tables/table-error.js';
import { type AddressRanges, rangesOf } from './address-ranges.js';
import { type AddressChange, readAddress } from './known-addresses.js';
import { MOST_MEMBERS, wordsOfRuleset } from './ruleset-words.js';

/** Numbers of rulesets are below it. */
const MOST_RULESETS = 1 << 20;

export interface ReadChanges {
  readonly cluster: AddressRanges | undefined;
  /** Number, and words as ruleset-words.ts says. */
  readonly rulesets: readonly (readonly [number, readonly number[]])[];
  readonly addresses: readonly AddressChange[];
}

/** @param isRuleset of those that there are. Throws TableError naming the entry. */
export function readChanges(changes: PolicyChanges, isRuleset: (id: number) => boolean): ReadChanges {
  const { clusterCidrs, removedRulesets, removedSets, removedIdentities } = changes;
  const cluster = clusterCidrs && rangesOf(blocksOf(clusterCidrs), 'prefixes of the cluster');
  for (const id of removedRulesets) requireRuleset(id);
  for (const id of removedSets) requireSet(id);
  for (const id of removedIdentities) requireIdentity(id);
  for (const set of changes.sets) requireMembers(set);
  for (const identity of changes.identities) requireSets(identity);
  const rulesets = changes.rulesets.map((spec) => {
    requireRuleset(spec.id);
    return [spec.id, wordsOfRuleset(spec)] as const;
  });
  const removed = new Set(removedRulesets);
  const added = new Set(changes.rulesets.map(({ id }) => id));
  const isThere = (id: number) => added.has(id) || (isRuleset(id) && !removed.has(id));
  for (const port of changes.ports) requirePort(port, isThere);
  return { cluster, rulesets, addresses: changes.addresses.map(readAddress) };
}

function blocksOf(cidrs: readonly string[]): { cidr: string }[] {
  return cidrs.map((cidr) => ({ cidr }));
}

function requireRuleset(id: number): void {
  requireInteger('number of a ruleset', id, OPEN_RULESET + 1, MOST_RULESETS - 1);
}

function requireSet(id: number): void {
  requireInteger('number of a set', id, 0, MOST_MEMBERS - 1);
}

function requireIdentity(id: number): void {
  requireInteger('number of an identity', id, FIRST_IDENTITY, MOST_MEMBERS - 1);
}

function requireMembers({ id, identities }: PolicySetSpec): void {
  requireSet(id);
  for (const identity of identities) {
    requireInteger(`identity in set ${id}`, identity, FIRST_IDENTITY, MOST_MEMBERS - 1);
  }
}

function requireSets({ id, sets }: PolicyIdentitySpec): void {
  requireIdentity(id);
  for (const set of sets) requireInteger(`set of identity ${id}`, set, 0, MOST_MEMBERS - 1);
}

function requirePort(
  { port, identity, ingress, egress }: PolicyPortSpec,
  isThere: (id: number) => boolean,
): void {
  requireInteger('number of a port', port, 0, MAX_PORTS - 1);
  requireInteger(`identity of port ${port}`, identity, IDENTITY_UNKNOWN, MOST_MEMBERS - 1);
  for (const id of [ingress, egress]) {
    if (id === OPEN_RULESET || isThere(id)) continue;
    throw new TableError(TABLE_ERROR.invalid, `port ${port} has ruleset ${id}, which is not there`);
  }
}
