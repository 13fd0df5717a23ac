/**
 * The uplinks of the networks in force (uplinks.ts), whose interfaces come and go as the host likes. The data plane tells of
 * one that vanishes. Nothing relies on that word alone: it may come before anybody listens, or while the network is being
 * changed. So each round looks at them too, which costs a system call for each. Callers hold the networks' lock.
 */
import { asPodwireError } from './errors.js';
import { type Logger, RepeatedLog } from './logger.js';
import type { Uplink } from './uplinks.js';

/** What is needed of a LiveNetwork. */
export interface UplinkedNetwork {
  readonly name: string;
  readonly uplink?: Pick<Uplink, 'name' | 'planned' | 'open' | 'withdraw' | 'isGone'>;
}

export interface NetworkUplinksParts {
  readonly networks: () => Iterable<UplinkedNetwork>;
  readonly log: Logger;
  /** Puts in force what is planned. */
  readonly changed: () => Promise<void>;
}

type Existing = { readonly network: string; readonly uplink: NonNullable<UplinkedNetwork['uplink']> };

export class NetworkUplinks {
  private readonly repeated: RepeatedLog;

  constructor(private readonly parts: NetworkUplinksParts) {
    this.repeated = new RepeatedLog(parts.log);
  }

  /** Opens those that are not open. What cannot be is told, and waits for the next time. @returns whether any was */
  async openAll(): Promise<boolean> {
    let opened = false;
    for (const { network, uplink } of this.all()) {
      if (uplink.planned) continue;
      try {
        await uplink.open(true);
        this.repeated.clear(network);
        opened = true;
        this.parts.log.info({ network, ifname: uplink.name }, 'uplink opened');
      } catch (error) {
        const { code, message } = asPodwireError(error);
        this.repeated.warn(network, { network, code, error: message }, 'network without its uplink');
      }
    }
    return opened;
  }

  /** Whether `renew` would do something. */
  needRenewal(): boolean {
    return this.all().some(({ uplink }) => uplink.planned === undefined || uplink.isGone());
  }

  /** Lets go those whose interface has vanished, and opens those whose interface is back. */
  async renew(): Promise<void> {
    for (const one of this.all()) if (one.uplink.isGone()) await this.close(one, 'found missing');
    if (await this.openAll()) await this.parts.changed();
  }

  has(port: number): boolean {
    return this.find(port) !== undefined;
  }

  /** The data plane says that the interface behind a port has vanished. */
  async down(port: number, reason: string): Promise<void> {
    const found = this.find(port);
    if (found) await this.close(found, reason);
  }

  private async close({ network, uplink }: Existing, reason: string): Promise<void> {
    this.parts.log.warn({ network, ifname: uplink.name, reason }, 'interface vanished');
    const close = uplink.withdraw(`interface ${uplink.name} is gone: ${reason}`);
    await this.parts.changed();
    await close();
  }

  private find(port: number): Existing | undefined {
    return this.all().find(({ uplink }) => uplink.planned?.port === port);
  }

  private all(): Existing[] {
    return [...this.parts.networks()].flatMap(({ name, uplink }) =>
      uplink ? [{ network: name, uplink }] : [],
    );
  }
}
