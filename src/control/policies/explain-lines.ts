/**
 * Where something stands in a policy as `podwire get KIND NAME -o yaml` prints it: its line, and the lines around it that say
 * where that is. So the text is made here as it is made there, of the same answer of the API.
 *
 * A rule may have a thousand peers. Of the rule's own lines those are given that lead to the items that matched.
 */
import type { Document, LineCounter, Node, YAMLMap } from 'yaml';
import type { ExplainLine } from '../api/explain-types.js';
import { yaml } from '../yaml.js';
import type { AnyPolicy } from './types.js';

/** Lines of one item that are given: a selector with hundreds of values has as many. */
const MOST_LINES = 40;

type Key = string | number;

export class PolicyText {
  private readonly lines: readonly string[];
  private readonly document: Document.Parsed;
  private readonly counter: LineCounter;
  private readonly text: string;

  /** @param policy as the API answers it. */
  constructor(policy: AnyPolicy) {
    const { stringify, parseDocument, LineCounter } = yaml();
    // As it arrives at a client: fields without a value are not there.
    this.text = stringify(JSON.parse(JSON.stringify(policy)));
    this.counter = new LineCounter();
    this.document = parseDocument(this.text, { lineCounter: this.counter });
    this.lines = this.text.split('\n');
  }

  /** The number, from 1, of the line that what `path` names begins on: `spec.ingress[0].from[1]`. 0: it is not there. */
  lineOf(path: string): number {
    return this.spanOf(keysOf(path))?.first ?? 0;
  }

  /** The rule's first line, the keys that lead to the items, and the items; these are `matched`, or without any the rule itself. */
  excerpt(rule: string, items: readonly string[]): ExplainLine[] {
    const wanted = new Map<number, boolean>();
    const matched = items.length > 0 ? items : [rule];
    for (const path of matched) for (const line of this.linesOf(path)) wanted.set(line, true);
    for (const line of this.contextOf(rule, matched)) if (!wanted.has(line)) wanted.set(line, false);
    return [...wanted]
      .sort(([a], [b]) => a - b)
      .map(([number, isMatched]) => ({ number, text: this.lines[number - 1], matched: isMatched }));
  }

  private linesOf(path: string): number[] {
    const span = this.spanOf(keysOf(path));
    if (!span) return [];
    const count = Math.min(span.last - span.first + 1, MOST_LINES);
    return Array.from({ length: count }, (_, index) => span.first + index);
  }

  private contextOf(rule: string, items: readonly string[]): number[] {
    const ruleKeys = keysOf(rule);
    const first = this.spanOf(ruleKeys)?.first;
    const list = this.keyLine(ruleKeys.slice(0, -1));
    const keys = items.map((path) => this.keyLine(keysOf(path).slice(0, ruleKeys.length + 1)));
    return [list, first, ...keys].filter((line) => line !== undefined);
  }

  /** Of the key, which is a line above the list that it has. */
  private keyLine(keys: readonly Key[]): number | undefined {
    const last = keys.at(-1);
    const map = this.nodeAt(keys.slice(0, -1));
    if (typeof last !== 'string' || !yaml().isMap(map)) return undefined;
    const key = (map as YAMLMap<Node>).items.find((pair) => String(pair.key) === last)?.key;
    return key?.range ? this.counter.linePos(key.range[0]).line : undefined;
  }

  private spanOf(keys: readonly Key[]): { first: number; last: number } | undefined {
    const range = this.nodeAt(keys)?.range;
    if (!range) return undefined;
    const [from, to] = range;
    const { length } = this.text.slice(from, to).trimEnd();
    return {
      first: this.counter.linePos(from).line,
      last: this.counter.linePos(from + Math.max(0, length - 1)).line,
    };
  }

  private nodeAt(keys: readonly Key[]): Node | undefined {
    const found = this.document.getIn(keys, true);
    return yaml().isNode(found) ? found : undefined;
  }
}

/** `spec.ingress[0].from[1]` to `['spec', 'ingress', 0, 'from', 1]`. */
export function keysOf(path: string): Key[] {
  return [...path.matchAll(/([^.[\]]+)/g)].map(([word]) => (/^\d+$/.test(word) ? Number(word) : word));
}
