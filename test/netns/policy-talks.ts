/**
 * Talks between pods that go on while policy changes. Each sender counts what it sends, so that "from the next packet on" can be held
 * to the packet: a number that was not sent yet when a change was answered must not arrive after it.
 */
import { expect } from 'vitest';
import { Talker, type TalkFacts } from '../support/netns-talker.js';
import { sleep, until } from './daemon-support.js';
import type { PolicyWorld } from './policy-support.js';
import { FAMILIES, type Family } from './services-support.js';

/** So many more have been sent before silence is believed; the first retransmissions of TCP fall into it. */
const MORE = 60;
const PAUSE_S = 0.01;

export interface Talk {
  readonly what: string;
  readonly kind: 'udp' | 'tcp';
  /** Address of who talks. */
  readonly source: string;
  readonly to: string;
  facts(): Promise<TalkFacts>;
}

export class Talks {
  private readonly talkers = new Map<string, Talker>();

  constructor(private readonly world: PolicyWorld) {}

  /** In the namespace of a pod, which need not be attached; `ext` is the host outside. */
  async open(...names: string[]): Promise<void> {
    const start = async (name: string) => {
      this.talkers.set(name, await Talker.start(this.world.services.at(name)));
    };
    await Promise.all(names.map(start));
  }

  of(name: string): Talker {
    return this.talkers.get(name)!;
  }

  /** By both families, of these kinds. */
  async begin(from: string, to: string, ...kinds: Talk['kind'][]): Promise<Talk[]> {
    const talks = kinds.flatMap((kind) => FAMILIES.map((family) => this.one(from, to, kind, family)));
    return Promise.all(talks);
  }

  async close(): Promise<void> {
    for (const talker of this.talkers.values()) await talker.end();
  }

  /** Each of them: what was sent after this has begun comes back. */
  async goOn(talks: readonly Talk[]): Promise<void> {
    const before = await Promise.all(talks.map((talk) => talk.facts()));
    const isAnswered = async (talk: Talk, index: number) =>
      until(async () => (await talk.facts()).back > before[index].sent);
    const answered = await Promise.all(talks.map(isAnswered));
    const silent = talks.filter((_, index) => !answered[index]);
    expect(silent.map(({ what }) => what)).toEqual([]);
  }

  /** None of what is sent from now on is let through, nor what TCP sends again. */
  async end(talks: readonly Talk[]): Promise<void> {
    const now = await Promise.all(talks.map((talk) => talk.facts()));
    await Promise.all(
      talks.map((talk, index) => until(async () => (await talk.facts()).sent > now[index].sent + MORE)),
    );
    const heard = await this.heard(talks);
    await sleep(2000 * PAUSE_S * MORE);
    const later = await this.heard(talks);
    const wrong = talks.flatMap(({ what }, index) => {
      const [before, [count, highest]] = [heard[index], later[index]];
      const isLate = highest > now[index].sent || count > before[0];
      return isLate ? [`${what}: ${highest} after ${now[index].sent}, ${before[0]} became ${count}`] : [];
    });
    expect(wrong).toEqual([]);
  }

  /** Like that, once the other node has heard of it. */
  async endSoon(talks: readonly Talk[]): Promise<void> {
    const isQuiet = async () => {
      const before = await this.heard(talks);
      await sleep(1000 * PAUSE_S * 20);
      const after = await this.heard(talks);
      return before.every(([count], index) => count === after[index][0]);
    };
    expect(await until(isQuiet)).toBe(true);
    await this.end(talks);
  }

  private heard(talks: readonly Talk[]) {
    return Promise.all(talks.map(async ({ to, source, kind }) => (await this.of(to).heard(source))[kind]));
  }

  private async one(from: string, to: string, kind: Talk['kind'], family: Family): Promise<Talk> {
    const facts = await this.of(from).talk(kind, this.world.address(to, family), PAUSE_S);
    const source = this.world.address(from, family);
    return { what: `${kind} IPv${family} ${from} to ${to}`, kind, source, to, facts };
  }
}
