/**
 * Which name servers are worth asking. One that left a question unanswered is suspected, and asked something that every
 * resolver answers at once: the servers of the root. Where that is not answered either, or nobody listens there, it is
 * down, and asked again after one second, then two, up to ten, until it answers. So a name that nobody can resolve takes
 * no server down, and no question of a pod is spent on finding out. While every server is down questions fail at
 * once, and programs in pods do not hang for five seconds each.
 */
import type { Cancel, NameServer } from './ask.js';

/** From the first pause between checks to the longest, each twice the one before (ms). */
const PAUSE_MS = { first: 1000, longest: 10_000 } as const;

/** Asks a server; says whether anything came back. */
export type Check = (server: NameServer, done: (alive: boolean) => void) => Cancel;

/** looping: it asks us what we ask it. */
export interface UpstreamState extends NameServer {
  readonly state: 'up' | 'down' | 'looping';
}

interface State {
  readonly server: NameServer;
  down: boolean;
  /** Questions to it come back to us. */
  looping: boolean;
  pause: number;
  /** Ends the check, or the wait for the next one. */
  cancel?: Cancel;
}

export class ServerHealth {
  private readonly states: readonly State[];
  private closed = false;

  constructor(
    servers: readonly NameServer[],
    private readonly check: Check,
  ) {
    this.states = servers.map((server) => ({ server, down: false, looping: false, pause: PAUSE_MS.first }));
  }

  /** Whom to ask, in this order: who is down last; nobody where all are. */
  candidates(): NameServer[] {
    const usable = this.states.filter(({ looping }) => !looping);
    const up = usable.filter(({ down }) => !down);
    const order = up.length === 0 ? [] : [...up, ...usable.filter(({ down }) => down)];
    return order.map(({ server }) => server);
  }

  list(): UpstreamState[] {
    return this.states.map(({ server, down, looping }) => ({
      ...server,
      state: looping ? 'looping' : down ? 'down' : 'up',
    }));
  }

  answered(server: NameServer): void {
    const state = this.stateOf(server);
    if (!state?.down) return;
    state.down = false;
    state.pause = PAUSE_MS.first;
    state.cancel?.();
    delete state.cancel;
  }

  unanswered(server: NameServer): void {
    const state = this.stateOf(server);
    if (state && !state.cancel && !this.closed) this.look(state);
  }

  /** Nobody is there: sure at once. */
  refused(server: NameServer): void {
    const state = this.stateOf(server);
    if (!state || state.down || this.closed) return;
    state.cancel?.();
    this.fell(state);
  }

  setLooping(server: NameServer): void {
    const state = this.stateOf(server);
    if (state) state.looping = true;
  }

  /** Questions may still be under way that know of it. */
  close(): void {
    this.closed = true;
    for (const state of this.states) state.cancel?.();
  }

  private look(state: State): void {
    state.cancel = this.check(state.server, (alive) => {
      delete state.cancel;
      if (!alive) this.fell(state);
      else this.answered(state.server);
    });
  }

  private fell(state: State): void {
    state.pause = state.down ? Math.min(2 * state.pause, PAUSE_MS.longest) : PAUSE_MS.first;
    state.down = true;
    const timer = setTimeout(() => this.look(state), state.pause).unref();
    state.cancel = () => clearTimeout(timer);
  }

  private stateOf(server: NameServer): State | undefined {
    return this.states.find((state) => state.server === server);
  }
}
