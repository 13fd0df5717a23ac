/**
 * Forwards questions to the name servers of resolv.conf. A question that is under way already is not asked twice: who asks
 * the same waits for the same answer. Bounded: at most `MOST_UNDER_WAY` questions wait, of which each has six
 * sockets at most and one nearly always; more fail at once.
 *
 * A loop, where a name server asks us what we asked it, is found in two ways. A server at an address that we listen on
 * is never asked. The others are sent a random name once; who brings it back to us is not asked any more. Until that is
 * known a loop costs little, since the question that comes back waits for its own answer instead of going round.
 */
import { randomBytes } from 'node:crypto';
import { ask, type Cancel, type NameServer, type Question, questionOf } from './ask.js';
import { TYPE } from './constants.js';
import { ServerHealth, type UpstreamState } from './health.js';
import { Inquiry } from './inquiry.js';
import type { Reply } from './reply.js';

const MOST_UNDER_WAY = 1000;

/** How long a random name may take to come back (ms). */
const LOOP_MS = 10_000;

export type Answered = (reply: Reply | undefined) => void;

export interface UpstreamOptions {
  /** True for where this server itself listens. */
  readonly isSelf?: (server: NameServer) => boolean;
  readonly onLoop?: (server: NameServer) => void;
}

export class Upstream {
  private servers: readonly NameServer[] = [];
  private health = new ServerHealth([], check);
  private readonly waiting = new Map<string, { inquiry: Inquiry; answered: Answered[] }>();
  private readonly probes = new Map<string, NameServer>();
  private readonly cancels = new Set<Cancel>();

  constructor(private readonly options: UpstreamOptions = {}) {}

  get underWay(): number {
    return this.waiting.size;
  }

  /** Who is asked, in the order of resolv.conf. */
  get states(): UpstreamState[] {
    return this.health.list();
  }

  /** Questions that are under way end as they began. */
  setServers(servers: readonly NameServer[]): void {
    this.servers = servers.filter((server) => !this.options.isSelf?.(server));
    this.health.close();
    this.health = new ServerHealth(this.servers, check);
    this.forgetProbes();
    for (const server of this.servers) this.probe(server);
  }

  /** @param answered called once, with undefined where nobody answers; not before this returns. */
  ask(question: Question, answered: Answered): void {
    const same = this.waiting.get(question.key);
    if (same) {
      same.answered.push(answered);
      return;
    }
    const candidates = this.waiting.size < MOST_UNDER_WAY ? this.health.candidates() : [];
    if (candidates.length === 0) {
      setImmediate(answered, undefined);
      return;
    }
    const inquiry = new Inquiry(question, candidates, this.health, (reply) =>
      this.answer(question.key, reply),
    );
    this.waiting.set(question.key, { inquiry, answered: [answered] });
  }

  /** True for a name that we sent to find loops, and that has come back. */
  isProbe(labels: readonly string[]): boolean {
    const server = this.probes.size === 0 ? undefined : this.probes.get(labels.join('.'));
    if (server === undefined) return false;
    this.health.setLooping(server);
    this.probes.delete(labels.join('.'));
    this.options.onLoop?.(server);
    return true;
  }

  close(): void {
    this.forgetProbes();
    this.health.close();
    for (const { inquiry } of [...this.waiting.values()]) inquiry.cancel();
  }

  private answer(key: string, reply: Reply | undefined): void {
    const answered = this.waiting.get(key)?.answered ?? [];
    this.waiting.delete(key);
    for (const one of answered) one(reply);
  }

  /** Two random labels and a type that nobody asks for: resolvers on the way pass on what they do not know. */
  private probe(server: NameServer): void {
    const labels = [randomBytes(8).toString('hex'), randomBytes(8).toString('hex')];
    const name = labels.join('.');
    this.probes.set(name, server);
    const cancel = ask(server, questionOf(labels, TYPE.HINFO), () => undefined);
    const timer = setTimeout(() => {
      cancel();
      this.probes.delete(name);
    }, LOOP_MS).unref();
    this.cancels.add(() => {
      cancel();
      clearTimeout(timer);
    });
  }

  private forgetProbes(): void {
    for (const cancel of this.cancels) cancel();
    this.cancels.clear();
    this.probes.clear();
  }
}

/** How long a server may take for the servers of the root (ms). It knows them by heart, or very soon. */
const CHECK_MS = 2000;

/** Any answer will do: one that refuses is there. */
function check(server: NameServer, done: (alive: boolean) => void): Cancel {
  const end = (alive: boolean) => {
    cancel();
    done(alive);
  };
  const timer = setTimeout(end, CHECK_MS, false).unref();
  const close = ask(server, questionOf([], TYPE.NS), (outcome) => end(outcome !== 'refused'));
  const cancel = () => {
    clearTimeout(timer);
    close();
  };
  return cancel;
}
