/**
 * One question put to the upstreams until one of them answers. The first one is asked; where it says nothing for 0.8 s
 * the next one as well, and so on, three rounds, each slower than the one before. Earlier questions stay open: the first answer
 * counts, whoever gives it. Who says SERVFAIL or REFUSED, or is not there, hands over at once and is not asked again.
 * It ends within 4.5 s, since a resolver in a pod gives up after 5.
 */
import { ask, type Cancel, type NameServer, type Outcome, type Question } from './ask.js';
import { RCODE } from './constants.js';
import type { ServerHealth } from './health.js';
import type { Reply } from './reply.js';

/** `patience`: in the first round, doubled in each that follows. */
const TIMES_MS = { all: 4500, patience: 800 } as const;
const ROUNDS = 3;
const MOST_ATTEMPTS = 6;

/** Answers that another server may know better. */
const UNHELPFUL: readonly number[] = [RCODE.SERVFAIL, RCODE.REFUSED, RCODE.FORMERR, RCODE.NOTIMP];

interface Attempt {
  readonly server: NameServer;
  readonly cancel: Cancel;
}

export class Inquiry {
  private readonly open = new Set<Attempt>();
  private readonly gone = new Set<NameServer>();
  private readonly plan: NameServer[];
  private step = 0;
  private next: NodeJS.Timeout | undefined;
  private readonly end: NodeJS.Timeout;
  private unhelpful: Reply | undefined;
  private over = false;

  /** @param done with undefined where nobody answered. */
  constructor(
    private readonly question: Question,
    private readonly servers: readonly NameServer[],
    private readonly health: ServerHealth,
    private readonly done: (reply: Reply | undefined) => void,
  ) {
    this.plan = Array.from({ length: ROUNDS }, () => servers)
      .flat()
      .slice(0, MOST_ATTEMPTS);
    this.end = setTimeout(() => this.finish(undefined), TIMES_MS.all);
    this.advance();
  }

  /** Ends it without an answer. */
  cancel(): void {
    for (const { cancel } of this.open) cancel();
    this.open.clear();
    this.finish(undefined);
  }

  private advance(): void {
    clearTimeout(this.next);
    while (this.step < this.plan.length && this.gone.has(this.plan[this.step])) this.step++;
    const server = this.plan[this.step];
    if (server === undefined) {
      if (this.open.size === 0) this.finish(undefined);
      return;
    }
    const wait = TIMES_MS.patience * 2 ** Math.floor(this.step / this.servers.length);
    this.step++;
    this.next = setTimeout(() => this.advance(), wait);
    this.attempt(server);
  }

  private attempt(server: NameServer): void {
    const attempt: Attempt = {
      server,
      cancel: ask(server, this.question, (outcome) => this.take(attempt, outcome)),
    };
    this.open.add(attempt);
  }

  private take(attempt: Attempt, outcome: Outcome): void {
    this.open.delete(attempt);
    if (this.over) return;
    if (outcome === 'refused') this.health.refused(attempt.server);
    else {
      this.health.answered(attempt.server);
      if (!UNHELPFUL.includes(outcome.rcode)) {
        this.finish(outcome);
        return;
      }
      this.unhelpful = outcome;
    }
    this.gone.add(attempt.server);
    this.advance();
  }

  private finish(reply: Reply | undefined): void {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.next);
    clearTimeout(this.end);
    for (const { server, cancel } of this.open) {
      cancel();
      if (reply === undefined) this.health.unanswered(server);
    }
    this.done(reply ?? this.unhelpful);
  }
}
