/**
 * Ports that are published and taken back while a pod runs. What is there already is no error when it is asked for again, as
 * with attach. A pod's lock is held all the while.
 */
import type { PortChoice, PortsAnswer, PublishedPort } from './api/publish-types.js';
import { PodwireError } from './errors.js';
import type { KeyedLock } from './keyed-lock.js';
import type { Logger } from './logger.js';
import { choiceName, type FullPublishRequest, type FullWish, hostName, isChosen } from './model/publish.js';
import type { Networks } from './networks.js';
import { leadsToNode, type PublishedPorts } from './published-ports.js';
import { type AttachmentRecord, type PodRecord, podKey, type Records } from './records.js';

export interface PodPortsParts {
  readonly records: Records<PodRecord>;
  readonly published: PublishedPorts;
  readonly networks: Pick<Networks, 'get'>;
  readonly lock: KeyedLock;
  readonly log: Logger;
}

export class PodPorts {
  constructor(private readonly parts: PodPortsParts) {}

  /**
   * In force and recorded when it resolves.
   * @throws PodwireError NOT_FOUND, PORT_IN_USE, UNSUPPORTED, INVALID; then nothing has changed
   */
  publish(namespace: string, name: string, { ifname, ports }: FullPublishRequest): Promise<PortsAnswer> {
    const key = podKey(namespace, name);
    return this.parts.lock.run(key, async () => {
      const record = this.need(key);
      const chosen = this.interfaceOf(key, record, ifname);
      const { published = [] } = chosen;
      const wishes = ports.filter((wish) => !published.some((port) => isSame(port, wish)));
      const claim = await this.parts.published.claim(
        key,
        this.parts.networks.get(chosen.network),
        'ports',
        wishes,
      );
      try {
        await this.save(key, record, chosen, [...published, ...claim.ports]);
      } finally {
        claim.release();
      }
      return this.done(key, claim.ports, 'ports published');
    });
  }

  /** @param choices undefined: all. @throws PodwireError NOT_FOUND where one of them chooses nothing */
  unpublish(namespace: string, name: string, choices: readonly PortChoice[] = [{}]): Promise<PortsAnswer> {
    const key = podKey(namespace, name);
    return this.parts.lock.run(key, async () => {
      const before = this.need(key);
      const all = before.attachments.flatMap(({ published = [] }) => published);
      const chosen = choices.flatMap((choice) => this.choose(key, all, choice));
      const attachments = before.attachments.map(({ published, ...rest }): AttachmentRecord => {
        const left = (published ?? []).filter((port) => !chosen.includes(port));
        return { ...rest, ...(left.length > 0 && { published: left }) };
      });
      if (chosen.length > 0) await this.parts.records.save(key, { ...before, attachments });
      return this.done(key, chosen, 'ports unpublished');
    });
  }

  private choose(key: string, all: readonly PublishedPort[], choice: PortChoice): PublishedPort[] {
    const found = all.filter((port) => isChosen(port, choice));
    if (found.length > 0 || Object.keys(choice).length === 0) return found;
    const has = all.map((port) => hostName(port)).join(', ') || 'none';
    throw new PodwireError('NOT_FOUND', `pod ${key} has published no ${choiceName(choice)}; it has ${has}`);
  }

  private interfaceOf(key: string, { attachments }: PodRecord, ifname: string | undefined): AttachmentRecord {
    const { networks } = this.parts;
    const found =
      ifname === undefined
        ? (attachments.find(({ network }) => leadsToNode(networks.get(network))) ?? attachments[0])
        : attachments.find((made) => made.ifname === ifname);
    if (found) return found;
    const what = attachments.length === 0 ? 'is not attached' : `has no interface ${ifname}`;
    throw new PodwireError('NOT_FOUND', `pod ${key} ${what}`);
  }

  private save(
    key: string,
    record: PodRecord,
    chosen: AttachmentRecord,
    published: readonly PublishedPort[],
  ): Promise<void> {
    const attachments = record.attachments.map((made) => (made === chosen ? { ...made, published } : made));
    return this.parts.records.save(key, { ...record, attachments });
  }

  private async done(key: string, ports: readonly PublishedPort[], what: string): Promise<PortsAnswer> {
    await this.parts.published.put(key);
    if (ports.length > 0) this.parts.log.info({ pod: key, ports: ports.map(hostName) }, what);
    const [namespace, name] = key.split('/');
    const { attachments } = this.need(key);
    return { name, namespace, ports: attachments.flatMap((made) => this.parts.published.statusOf(made)) };
  }

  private need(key: string): PodRecord {
    const record = this.parts.records.get(key);
    if (record) return record;
    throw new PodwireError('NOT_FOUND', `there is no pod ${key}; 'podwire pods' lists them`);
  }
}

/** Whether what is asked for is there; a wish without a host port always asks for one more. */
export function isSame(port: PublishedPort, wish: FullWish): boolean {
  return (
    port.hostPort === wish.hostPort &&
    port.containerPort === wish.containerPort &&
    port.hostIP === wish.hostIP &&
    port.protocol === wish.protocol
  );
}
