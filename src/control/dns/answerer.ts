/**
 * What the UDP and the TCP side have in common: a message in, a message out, or none. Nothing that comes in makes it throw:
 * what is no question gets twelve octets or nothing (message.ts), a fault of ours a SERVFAIL.
 */

import { bare } from './build.js';
import { type Client, Clients } from './clients.js';
import { RCODE } from './constants.js';
import { type Query, readQuery } from './message.js';
import { finish, headerOnly, type Reply } from './reply.js';
import type { Resolver } from './resolver.js';

/** What has been done with messages, by number. */
export interface DnsCounters {
  /** Questions that could be read. */
  questions: number;
  /** What was no question and got an error. */
  malformed: number;
  /** Responses, and what is too short for a header. */
  ignored: number;
  /** A client asked faster than it may. */
  rateDropped: number;
  servfail: number;
}

/** @param limit bytes that the answer to this question may have. */
export type Limit = (query: Query) => number;

export interface AnswererOptions {
  readonly clients?: Clients;
  /** Told of a fault of ours. */
  readonly onFault?: (error: unknown) => void;
}

export class Answerer {
  readonly counters: DnsCounters = {
    questions: 0,
    malformed: 0,
    ignored: 0,
    rateDropped: 0,
    servfail: 0,
  };
  private readonly clients: Clients;

  constructor(
    private readonly resolver: Resolver,
    private readonly options: AnswererOptions = {},
  ) {
    this.clients = options.clients ?? new Clients();
  }

  /** @param send called once, with undefined where nothing is to be sent; perhaps within the call. */
  answer(message: Buffer, address: string, limit: Limit, send: (answer: Buffer | undefined) => void): void {
    const client = this.clients.admit(address, performance.now());
    if (!client) {
      this.counters.rateDropped++;
      send(undefined);
      return;
    }
    const reading = readQuery(message);
    if (reading.verdict === 'query') this.resolve(reading.query, address, client, limit, send);
    else if (reading.verdict === 'drop') {
      this.counters.ignored++;
      send(undefined);
    } else {
      this.counters.malformed++;
      send(headerOnly(message, reading.rcode));
    }
  }

  private resolve(
    query: Query,
    address: string,
    client: Client,
    limit: Limit,
    send: (answer: Buffer | undefined) => void,
  ): void {
    this.counters.questions++;
    const most = limit(query);
    const asker = { address, mayWait: this.clients.mayWait(client), limit: most };
    client.waiting++;
    const respond = (reply: Reply, age: number) => {
      client.waiting--;
      if (reply.rcode === RCODE.SERVFAIL) this.counters.servfail++;
      send(finish(reply, query, age, most));
    };
    try {
      this.resolver.resolve(query, asker, respond);
    } catch (error) {
      this.options.onFault?.(error);
      respond(bare(query, RCODE.SERVFAIL), 0);
    }
  }
}
