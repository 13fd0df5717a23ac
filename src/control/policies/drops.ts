/** What policies have refused, for people: by rule, and the last packets one by one. */
import type { Denial, DenialReader } from '../../dataplane/policy/denial-reader.js';
import { NO_PORT, NOT_IP } from '../../dataplane/policy/verdict.js';
import { NO_NOTE } from '../../dataplane/policy-spec.js';
import type { DropEnd, RecentDrop, RuleDrops } from '../api/drop-types.js';
import { addressText, protocolName } from '../flows/flow-entry.js';
import { ruleText } from './note-text.js';
import type { PolicyNote } from './types.js';

export interface PolicyDropsParts {
  readonly denials: Pick<DenialReader, 'allCounts' | 'recent'>;
  readonly noteOf: (note: number) => PolicyNote | undefined;
  /** Of a port's number. */
  readonly portName: (port: number) => string;
  /** NAMESPACE/NAME of the pod that has an address. */
  readonly podAt: (address: string) => string | undefined;
  /** Of the clock that the engines have (ms), and of the wall. */
  readonly now: () => number;
  readonly wall?: () => number;
}

/** Whoever asks for more gets these. */
export const RECENT_DROPS = { usual: 100, most: 10_000 } as const;

export class PolicyDrops {
  constructor(private readonly parts: PolicyDropsParts) {}

  /** The largest first. */
  byRule(): RuleDrops[] {
    const { denials, noteOf } = this.parts;
    const all = [...denials.allCounts()].map(([number, count]): RuleDrops => {
      const note = noteOf(number);
      return { count, direction: note?.direction ?? null, rule: ruleOf(number, note), note: note ?? null };
    });
    return all.sort((a, b) => b.count - a.count || (a.rule < b.rule ? -1 : 1));
  }

  /** The latest first. */
  recent(limit: number): RecentDrop[] {
    const { denials, now, wall = Date.now } = this.parts;
    const at = wall();
    return denials.recent(now(), limit).map((denial) => this.entry(denial, at));
  }

  private entry(denial: Denial, now: number): RecentDrop {
    const { noteOf, portName } = this.parts;
    const { age, direction, port, protocol } = denial;
    const note = noteOf(denial.note);
    const isIp = protocol !== NOT_IP;
    return {
      time: new Date(now - age).toISOString(),
      direction,
      port: portName(port),
      protocol: isIp ? protocolName(protocol) : null,
      source: isIp ? this.end(denial.source, denial.sourcePort) : null,
      destination: isIp ? this.end(denial.destination, denial.destinationPort) : null,
      rule: ruleOf(denial.note, note),
      note: note ?? null,
    };
  }

  private end(words: readonly number[], port: number): DropEnd {
    const address = addressText(words);
    return { address, port: port === NO_PORT ? null : port, pod: this.parts.podAt(address) ?? null };
  }
}

function ruleOf(number: number, note: PolicyNote | undefined): string {
  if (note) return ruleText(note);
  return number === NO_NOTE ? 'rules that are not counted one by one' : 'a rule that is gone';
}
