/**
 * Rulesets: what holds for pods in one direction. Pods that the same policies select share one. It is written anew in its place
 * where something changes that its policies name and do not say: which numbers a port's name stands for, addresses of
 * nodes. Sets and notes are kept for as long as a ruleset names them.
 */
import { isDeepStrictEqual } from 'node:util';
import { OPEN_RULESET, type PolicyTierSpec, type RulesetSpec } from '../../dataplane/policy-spec.js';
import { addTo, removeFrom } from './grouped.js';
import type { NamedBlock } from './named-ports.js';
import type { Ledger } from './numbers.js';
import { Numbers } from './numbers.js';
import { RulesetWriter, type Subject, type WriterParts } from './ruleset-writer.js';

export interface Ruleset {
  readonly id: number;
  readonly key: string;
  readonly subject: Subject;
  tiers: readonly PolicyTierSpec[];
  written: RulesetWriter;
  uses: number;
}

export class Rulesets {
  private readonly byKey = new Map<string, Ruleset>();
  private readonly byName = new Map<string, Set<Ruleset>>();
  private readonly byBlock = new Map<NamedBlock, Set<Ruleset>>();
  private readonly askingNodes = new Set<Ruleset>();
  private readonly stale = new Set<Ruleset>();
  readonly numbers = new Numbers(OPEN_RULESET + 1);

  constructor(
    private readonly parts: WriterParts,
    private readonly ledger: Ledger<Ruleset>,
  ) {}

  get all(): Iterable<Ruleset> {
    return this.byKey.values();
  }

  /** To be released. @param key the same for subjects for whom the same holds. */
  acquire(key: string, subject: Subject): Ruleset {
    const ruleset = this.byKey.get(key) ?? this.add(key, subject);
    ruleset.uses++;
    return ruleset;
  }

  release(ruleset: Ruleset): void {
    if (--ruleset.uses > 0) return;
    this.byKey.delete(ruleset.key);
    this.stale.delete(ruleset);
    this.unlink(ruleset);
    this.letGo(ruleset.written);
    this.ledger.drop(ruleset);
    this.numbers.release(ruleset.id);
  }

  renumbered(name: string): void {
    for (const ruleset of this.byName.get(name) ?? []) this.stale.add(ruleset);
  }

  replaced(block: NamedBlock): void {
    for (const ruleset of this.byBlock.get(block) ?? []) this.stale.add(ruleset);
  }

  nodesChanged(): void {
    for (const ruleset of this.askingNodes) this.stale.add(ruleset);
  }

  /** Makes all of them say what they should. */
  refresh(): void {
    for (const ruleset of this.stale) this.rewrite(ruleset);
    this.stale.clear();
  }

  private add(key: string, subject: Subject): Ruleset {
    const written = new RulesetWriter(this.parts, subject);
    const tiers = written.write();
    const ruleset: Ruleset = { id: this.numbers.take(), key, subject, tiers, written, uses: 0 };
    this.byKey.set(key, ruleset);
    this.link(ruleset);
    this.ledger.mark(ruleset);
    return ruleset;
  }

  private rewrite(ruleset: Ruleset): void {
    const before = ruleset.written;
    this.unlink(ruleset);
    ruleset.written = new RulesetWriter(this.parts, ruleset.subject);
    const tiers = ruleset.written.write();
    this.link(ruleset);
    this.letGo(before);
    if (isDeepStrictEqual(tiers, ruleset.tiers)) return;
    ruleset.tiers = tiers;
    this.ledger.mark(ruleset);
  }

  private letGo({ sets, notes, blocks }: RulesetWriter): void {
    for (const set of sets) this.parts.sets.release(set);
    for (const note of notes) this.parts.notes.release(note);
    for (const block of blocks) this.parts.named.release(block);
  }

  private link(ruleset: Ruleset): void {
    const { names, blocks, asksNodes } = ruleset.written;
    for (const name of names) addTo(this.byName, name, ruleset);
    for (const block of blocks) addTo(this.byBlock, block, ruleset);
    if (asksNodes) this.askingNodes.add(ruleset);
  }

  private unlink(ruleset: Ruleset): void {
    const { names, blocks } = ruleset.written;
    for (const name of names) removeFrom(this.byName, name, ruleset);
    for (const block of blocks) removeFrom(this.byBlock, block, ruleset);
    this.askingNodes.delete(ruleset);
  }
}

export function rulesetSpec({ id, tiers }: Ruleset): RulesetSpec {
  return { id, tiers };
}
