/**
 * How much each client may ask, so that one pod cannot take the resolver from the others: a rate with a burst, and a
 * number of questions that wait for upstreams. What is beyond the rate is dropped, as a full queue would; what would
 * wait beyond the number fails at once. Clients are told apart by address, which the source guard vouches for.
 *
 * A bounded table: the client that was quiet longest is forgotten, and begins anew with a full burst.
 */
export interface ClientLimits {
  /** Questions a second. */
  readonly rate: number;
  readonly burst: number;
  readonly waiting: number;
  readonly clients: number;
}

export const CLIENT_LIMITS: ClientLimits = { rate: 5000, burst: 10_000, waiting: 500, clients: 4096 };

export interface Client {
  tokens: number;
  /** ms. */
  at: number;
  waiting: number;
}

export class Clients {
  private readonly known = new Map<string, Client>();

  constructor(private readonly limits: ClientLimits = CLIENT_LIMITS) {}

  /** The client, or undefined where it asks too much. @param now ms. */
  admit(address: string, now: number): Client | undefined {
    const client = this.known.get(address) ?? { tokens: this.limits.burst, at: now, waiting: 0 };
    // Deleted and set again, it is the last one of the Map.
    this.known.delete(address);
    this.known.set(address, client);
    if (this.known.size > this.limits.clients) this.forgetFirst();
    client.tokens = Math.min(
      this.limits.burst,
      client.tokens + ((now - client.at) * this.limits.rate) / 1000,
    );
    client.at = now;
    if (client.tokens < 1) return undefined;
    client.tokens--;
    return client;
  }

  mayWait({ waiting }: Client): boolean {
    return waiting < this.limits.waiting;
  }

  private forgetFirst(): void {
    const [first] = this.known.keys();
    this.known.delete(first);
  }
}
