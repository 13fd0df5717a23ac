/**
 * The DNS server of this node: listens on podwire0's addresses at ports that the system chooses, and is reached at the
 * gateways of the node's networks and at the service addresses for DNS, port 53, as a service is
 * (services/dns-frontends.ts, docs/decisions/0038-dns.md). So a server of the host's own, on 0.0.0.0:53, is in nobody's way.
 *
 * `follow` is to be called when networks or the node's addresses may be others. It never throws: what cannot be listened
 * on is tried again, said in the log once a minute, and in `podwire status`. Meanwhile it goes on where it was.
 */
import { isDeepStrictEqual } from 'node:util';
import type { DnsStatus } from './api/types.js';
import { Backoff } from './backoff.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from './clock.js';
import type { NameServer } from './dns/ask.js';
import type { DnsRecords } from './dns/records.js';
import { type Dns, startDns } from './dns/start.js';
import { asPodwireError } from './errors.js';
import { type Logger, RepeatedLog } from './logger.js';
import { dnsServiceAddresses } from './services/dns-address.js';
import { DNS_EXTRA, dnsFrontends } from './services/dns-frontends.js';
import type { LiveServices } from './services/live-services.js';

export interface NodeDnsParts {
  readonly records: DnsRecords;
  readonly resolvConf: string;
  /** Of podwire0. */
  readonly addresses: () => readonly string[];
  /** Of the switch in networks that are routed. */
  readonly gateways: () => readonly string[];
  readonly serviceCidrs: () => readonly string[];
  readonly services: Pick<LiveServices, 'setExtra'>;
  readonly log: Logger;
  readonly clock?: Clock;
}

export class NodeDns {
  private dns: Dns | undefined;
  private problem: string | undefined;
  /** Where pods ask. */
  private asked: readonly string[] = [];
  private following: Promise<void> | undefined;
  private again = false;
  private stopped = false;
  private retry: Timer | undefined;
  private readonly backoff = new Backoff();
  private readonly repeated: RepeatedLog;
  private readonly clock: Clock;

  constructor(private readonly parts: NodeDnsParts) {
    this.repeated = new RepeatedLog(parts.log);
    this.clock = parts.clock ?? SYSTEM_CLOCK;
  }

  /** Makes the server be where the node's addresses are. Calls that come meanwhile share the next round. */
  follow(): Promise<void> {
    this.again = true;
    this.following ??= this.rounds().finally(() => {
      this.following = undefined;
    });
    return this.following;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.retry?.cancel();
    await this.following;
    await this.dns?.close();
  }

  status(): DnsStatus {
    const { records } = this.parts;
    return {
      domain: records.domain,
      addresses: [...this.asked],
      listening: (this.dns?.listening ?? []).map(({ address, port }) => withPort(address, port)),
      upstreams: (this.dns?.upstream.states ?? []).map(({ address, port, state }) => ({
        address: withPort(address, port),
        state,
      })),
      problem: this.problem ?? null,
      ...(this.dns?.server.counters ?? NO_COUNTERS),
    };
  }

  private async rounds(): Promise<void> {
    while (this.again && !this.stopped) {
      this.again = false;
      await this.round();
    }
  }

  private async round(): Promise<void> {
    this.retry?.cancel();
    try {
      await this.listen(this.parts.addresses().map((address) => ({ address, port: 0 })));
      this.backoff.reset();
      this.repeated.clear('listen');
      this.problem = undefined;
    } catch (error) {
      const { code, message } = asPodwireError(error);
      this.problem = message;
      this.repeated.warn('listen', { code, error: message }, 'DNS does not listen where it should');
      this.retry = this.clock.after(this.backoff.next(), () => void this.follow());
    }
    this.announce();
  }

  private async listen(places: readonly NameServer[]): Promise<void> {
    const { records, resolvConf, log } = this.parts;
    const before = this.dns?.listening;
    if (this.dns) await this.dns.move(places);
    else {
      this.dns = await startDns({
        view: records,
        listen: places,
        resolvConf,
        onLoop: ({ address }) =>
          log.warn({ server: address }, 'a name server asks us what we ask it: it is left out'),
        onFault: (error) => this.fault(error),
      });
    }
    const { listening } = this.dns;
    if (!isDeepStrictEqual(listening, before)) log.info({ listening, domain: records.domain }, 'DNS listens');
  }

  private announce(): void {
    const { gateways, serviceCidrs, services, records } = this.parts;
    const own = dnsServiceAddresses(serviceCidrs());
    this.asked = [...gateways(), ...own];
    records.servers = own.length > 0 ? own : gateways();
    services.setExtra(DNS_EXTRA, dnsFrontends(this.asked, this.dns?.listening ?? []));
  }

  private fault(error: unknown): void {
    const stack = error instanceof Error ? error.stack : String(error);
    this.repeated.warn('fault', { error: stack }, 'a DNS question could not be answered: a fault of podwire');
  }
}

const NO_COUNTERS = { questions: 0, malformed: 0, ignored: 0, rateDropped: 0, servfail: 0 };

function withPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
