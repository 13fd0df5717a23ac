/**
 * Attachments without a port, in networks of mode `none` and `host` (portless.ts): a record and a place in the network.
 * Nothing of them is in a snapshot.
 */
import { namespaceIdentity } from '../linux/netns.js';
import {
  type Attachments,
  type AttachWish,
  inNamespace,
  type RecordKeeper,
  refuseLimits,
} from './attachments.js';
import type { LiveNetwork } from './live-network.js';
import type { Logger } from './logger.js';
import { enterHost, enterNone, type PortlessFacts, refuseRuntime } from './portless.js';
import type { AttachmentRecord } from './records.js';
import type { Reservations } from './reservations.js';

export interface PortlessParts {
  readonly reservations: Pick<Reservations, 'takePlace'>;
  readonly log: Logger;
  /** Addresses of this node, on one of its interfaces: the underlay's or podwire0's. */
  readonly nodeIps: () => readonly string[];
}

export class AttachedPortless implements Attachments {
  /** In force, by the name that the port would have. */
  private readonly up = new Set<string>();

  constructor(private readonly parts: PortlessParts) {}

  attach(wish: AttachWish, network: LiveNetwork, keeper: RecordKeeper): Promise<AttachmentRecord> {
    const { port, netns, ifname, aliases, container } = wish;
    refuseRuntime(network, container);
    refuseLimits(network, wish.limits);
    return inNamespace(wish, this.parts.log, async (namespace, undo) => {
      const { domain } = this.parts.reservations.takePlace(wish, network, undo);
      const attachment = {
        ...{ port, netns, netnsId: namespaceIdentity(namespace), network: network.name, domain },
        ...(await this.enter(network, namespace, netns)),
        // A runtime asks again by the name that it gave.
        ...(container && { ifname, container }),
        ...(aliases && { aliases }),
      };
      await keeper.save(attachment);
      this.up.add(port);
      return attachment;
    });
  }

  restore(record: AttachmentRecord, network: LiveNetwork): Promise<AttachmentRecord> {
    return inNamespace(record, this.parts.log, async (namespace) => {
      const facts = await this.enter(network, namespace, record.netns);
      this.up.add(record.port);
      return { ...record, ...facts, ...(record.container && { ifname: record.ifname }) };
    });
  }

  async remove({ port }: AttachmentRecord): Promise<void> {
    this.up.delete(port);
  }

  isUp(port: string): boolean {
    return this.up.has(port);
  }

  private enter({ spec }: LiveNetwork, namespace: number, netns: string): Promise<PortlessFacts> {
    if (spec.mode === 'none') return enterNone(namespace, netns);
    return enterHost(namespace, netns, this.parts.nodeIps());
  }
}
