/**
 * Finds out that the interface of a packet socket has been deleted.
 *
 * The kernel says only that it went down (one read ends with ENETDOWN), and of one that is deleted while it is down
 * nothing at all: the socket is then bound to no interface, and its reads wait for ever. So whoever was told of "down" is
 * looked at again, soon and then once a second, until the interface is up or gone. That something is received says
 * nothing: it may have waited in the socket since before. An interface that is up costs nothing, one that stays down
 * three system calls a second.
 */

/** How soon it is looked at first, and at least once in how long (ms). */
const FIRST_LOOK = 4;
const LONGEST = 1000;

export interface WatchedLink {
  readonly port: number;
  /** Of its interface: gone is for good. */
  state(): 'up' | 'down' | 'gone';
}

interface Suspect {
  readonly link: WatchedLink;
  interval: number;
  due: number;
}

export class LinkWatch {
  private readonly suspects = new Map<number, Suspect>();

  /** @param onGone is called once for a link that is gone. */
  constructor(
    private readonly onGone: (port: number) => void,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  get isActive(): boolean {
    return this.suspects.size > 0;
  }

  /** The link is down. */
  suspect(link: WatchedLink): void {
    this.suspects.set(link.port, { link, interval: FIRST_LOOK, due: this.clock() + FIRST_LOOK });
  }

  /** It is being closed. */
  clear(port: number): void {
    this.suspects.delete(port);
  }

  /** Looks at those that are due. */
  look(): void {
    const now = this.clock();
    for (const [port, suspect] of this.suspects) {
      if (suspect.due > now) continue;
      const state = suspect.link.state();
      if (state === 'down') {
        suspect.interval = Math.min(suspect.interval * 2, LONGEST);
        suspect.due = now + suspect.interval;
        continue;
      }
      this.suspects.delete(port);
      if (state === 'gone') this.onGone(port);
    }
  }

  /** How long a wait of `timeout` ms (negative: for ever) may be, so that the next look is not missed. */
  limit(timeout: number): number {
    const now = this.clock();
    let limit = timeout;
    for (const { due } of this.suspects.values()) {
      const left = Math.max(0, due - now);
      if (limit < 0 || left < limit) limit = left;
    }
    return Math.ceil(limit);
  }
}
