/** A verdict with the rule that decided: its items, its lines, or why no rule matched. */
import type { ExplainMiss, ExplainRule, ExplainVerdict } from '../api/explain-types.js';
import type { End } from './explain-ends.js';
import { PolicyText } from './explain-lines.js';
import { type Walk, type WalkedRule, walkPolicy } from './explain-walk.js';
import type { ExplainWorld } from './explain-world.js';
import { policyText, ruleText } from './note-text.js';
import type { AnyPolicy, Direction, PolicyName, PolicyNote, PolicyVerdict } from './types.js';

/** Policies that select a pod and do not match, one line a rule. */
const MOST_MISSES = 50;

/** Policies as text: each is laid out once for an answer. */
export class PolicyTexts {
  private readonly known = new Map<string, { policy: AnyPolicy; text: PolicyText } | undefined>();

  constructor(private readonly world: Pick<ExplainWorld, 'policy'>) {}

  /** undefined: it was removed meanwhile. */
  get(name: PolicyName): { policy: AnyPolicy; text: PolicyText } | undefined {
    const key = policyText(name);
    if (!this.known.has(key)) {
      const policy = this.world.policy(name);
      this.known.set(key, policy && { policy, text: new PolicyText(policy) });
    }
    return this.known.get(key);
  }
}

/** @param end whose policies are asked. */
export function verdictOf(
  end: End,
  answer: PolicyVerdict,
  walk: Walk,
  texts: PolicyTexts,
  node: string,
): ExplainVerdict {
  const { direction } = walk;
  const { allowed, note } = answer;
  const pod = end.pod && `${end.pod.namespace}/${end.pod.name}`;
  const rule = note && ruleOf(note, walk, texts);
  const misses = note && note.path === undefined ? missesOf(note, walk, texts) : [];
  return {
    direction,
    ...(pod !== undefined && { pod, node: end.node ?? node }),
    verdict: allowed ? 'allow' : 'deny',
    text: textOf(answer, end, direction),
    ...(note && { note }),
    ...(rule && { rule }),
    ...(misses.length > 0 && { misses }),
  };
}

function textOf({ allowed, reason, note }: PolicyVerdict, end: End, direction: Direction): string {
  const word = allowed ? 'allowed' : 'refused';
  const who = end.pod ? `${end.pod.namespace}/${end.pod.name}` : (end.hostPod ?? end.address);
  switch (reason) {
    case 'outside':
      return `${word}: ${who} is no pod, nothing is asked`;
    case 'own-node':
      return `${word}, always: a pod and its own node`;
    case 'self':
      return `${word}, always: a pod and itself`;
    case 'open':
      return `${word}: no policy selects ${who} for ${direction}`;
    case 'policy':
      return note ? decidedText(word, note) : `${word}: no rule of a policy that selects ${who} is for this`;
  }
}

function decidedText(word: string, note: PolicyNote): string {
  if (note.tier === 'network') return `${word}: ${ruleText(note)}`;
  if (note.tier === 'unknown')
    return `${word}: the other end is a pod of the cluster that is not known here yet`;
  return note.path === undefined ? `${word}: ${ruleText(note)} is for this` : `${word} by ${ruleText(note)}`;
}

function ruleOf(note: PolicyNote, walk: Walk, texts: PolicyTexts): ExplainRule | undefined {
  const [name] = note.policies;
  const { path } = note;
  const found = name && path !== undefined ? texts.get(name) : undefined;
  if (!found || path === undefined) return undefined;
  const walked = walkPolicy(found.policy, walk).find((rule) => rule.path === path);
  const { text } = found;
  const items = [walked?.peer, walked?.port].filter((item) => item !== undefined);
  const paths = items.map((item) => item.path);
  const lined = (item: WalkedRule['peer']) => item && { ...item, line: text.lineOf(item.path) };
  const [peer, port] = [lined(walked?.peer), lined(walked?.port)];
  return {
    policy: name,
    path,
    line: text.lineOf(path),
    ...(peer && { peer }),
    ...(port && { port }),
    lines: text.excerpt(path, paths),
  };
}

function missesOf({ policies }: PolicyNote, walk: Walk, texts: PolicyTexts): ExplainMiss[] {
  return policies.slice(0, MOST_MISSES).flatMap((name) => {
    const found = texts.get(name);
    if (!found) return [];
    const rules = walkPolicy(found.policy, walk).map(({ path, why }) => ({
      path,
      line: found.text.lineOf(path),
      why: why ?? 'is for this since a moment ago: ask again',
    }));
    return [{ policy: name, rules }];
  });
}
