/** Policies for tests: short ways to write changes, and to ask. */

import { ASK, type PolicyTable } from '../../../../src/dataplane/policy/policy-table.js';
import { NO_PORT } from '../../../../src/dataplane/policy/verdict.js';
import {
  NO_POLICY_CHANGES,
  type PolicyChanges,
  type PolicyRuleSpec,
  type PolicyTierSpec,
} from '../../../../src/dataplane/policy-spec.js';
import { parseIp } from '../../../../src/wire/address.js';

export const TCP = 6;
export const UDP = 17;
export const SCTP = 132;
export const ICMP = 1;

let generation = 0;

/** Nothing but what is given. */
export function changes(given: Partial<PolicyChanges>): PolicyChanges {
  return { generation: ++generation, ...NO_POLICY_CHANGES, ...given };
}

/** One tier. */
export function tier(
  rules: readonly PolicyRuleSpec[],
  otherwise: PolicyTierSpec['otherwise'] = 'deny',
  note = otherwise === 'next' ? 0 : 99,
): PolicyTierSpec {
  return { rules, otherwise, note };
}

export function allow(note: number, rest: Partial<PolicyRuleSpec> = {}): PolicyRuleSpec {
  return { action: 'allow', note, ...rest };
}

export function deny(note: number, rest: Partial<PolicyRuleSpec> = {}): PolicyRuleSpec {
  return { action: 'deny', note, ...rest };
}

export function pass(note: number, rest: Partial<PolicyRuleSpec> = {}): PolicyRuleSpec {
  return { action: 'pass', note, ...rest };
}

export function inSets(...sets: number[]): Pick<PolicyRuleSpec, 'peers'> {
  return { peers: { sets, blocks: [] } };
}

export function inBlock(cidr: string, ...except: string[]): Pick<PolicyRuleSpec, 'peers'> {
  return { peers: { sets: [], blocks: [{ cidr, except }] } };
}

/** As PolicyTable wants it: four words, of IPv4 in the last one. */
export function addressWords(text: string): Int32Array {
  const { words } = parseIp(text);
  const result = new Int32Array(4);
  result.set(words, 4 - words.length);
  return result;
}

export interface Question {
  readonly way?: number;
  readonly port?: number;
  readonly identity?: number;
  readonly address?: string;
  readonly protocol?: number;
  readonly to?: number;
}

export interface Answer {
  readonly allowed: boolean;
  readonly note: number;
}

/** Unless told otherwise: what comes to port 1 from 192.0.2.1, to TCP port 80. */
export function ask(table: PolicyTable, question: Question = {}): Answer {
  const { way = ASK.INGRESS, port = 1, identity = 0, address = '192.0.2.1', protocol = TCP } = question;
  const to = question.to ?? (protocol === TCP || protocol === UDP || protocol === SCTP ? 80 : NO_PORT);
  const words = addressWords(address);
  const allowed = table.allows(way, port, identity, words, address.includes(':'), protocol, to);
  return { allowed, note: table.note };
}
