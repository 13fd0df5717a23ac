/**
 * Published ports: ports of the node that lead to pods. What is recorded with attachments is the truth; from it the data plane
 * is told what is in force (services/live-services.ts), and of what is recorded nobody gets a port twice.
 *
 * A port is refused while another pod, a service or a program of the host has it. What comes later cannot be refused: a
 * service's node port is the whole cluster's, so it wins over a port that is published on this node, which is out of force
 * until the service is gone, and says so. A program that opens the port later is not asked any more.
 *
 * A pod that is Lost keeps its ports; connections to them are refused.
 */
import { isDeepStrictEqual } from 'node:util';
import type { PublishedPort, PublishedPortStatus } from './api/publish-types.js';
import type { NetworkSpec } from './api/types.js';
import { familyOf } from './cidr.js';
import { asPodwireError, invalid, unsupported } from './errors.js';
import type { HostAddress } from './host/addresses.js';
import type { KeyedLock } from './keyed-lock.js';
import { isRouted } from './layout.js';
import type { LiveNetwork } from './live-network.js';
import type { Logger } from './logger.js';
import { type FullWish, hostName } from './model/publish.js';
import { isEvery, PortMap, portKey } from './publish-map.js';
import { extraName, planPublished } from './publish-plan.js';
import { type PodPort, portsOfServices, TakenHostPorts } from './publish-taken.js';
import type { AttachmentRecord, PodRecord, Records } from './records.js';
import type { LiveServices } from './services/live-services.js';
import type { PlannedPort } from './services/planned.js';

export interface PublishedPortsParts {
  readonly records: Pick<Records<PodRecord>, 'get' | 'list'>;
  readonly services: Pick<LiveServices, 'all' | 'setExtra' | 'removeExtra' | 'settled'>;
  /** Changes whenever services may have. */
  readonly generation: () => number;
  readonly isUp: (attachment: AttachmentRecord) => boolean;
  readonly hostAddresses: () => Promise<readonly HostAddress[]>;
  readonly lock: KeyedLock;
  readonly log: Logger;
}

/** Ports that nobody else is given until they are released: when they are recorded, or are not to be. */
export interface PortsClaim {
  readonly ports: readonly PublishedPort[];
  release(): void;
}

const LOCK = 'published ports';

export class PublishedPorts {
  private readonly pending = new Set<PodPort>();
  /** By pod: what services were told. */
  private readonly told = new Map<string, readonly PlannedPort[]>();
  /** Names of ports of attachments that are being taken away. */
  private readonly leaving = new Set<string>();
  /** Services that have taken a published port, as of `seen`. */
  private winners = new PortMap();
  private seen = -1;
  private readonly outOfForce = new Set<string>();
  /** How many ports were chosen so far. */
  private chosen = 0;

  constructor(private readonly parts: PublishedPortsParts) {}

  /**
   * Of those the pod has none yet.
   * @param field that asks for them.
   * @throws PodwireError PORT_IN_USE, UNSUPPORTED where the network does not lead to the node, INVALID
   */
  claim(key: string, network: LiveNetwork, field: string, wishes: readonly FullWish[]): Promise<PortsClaim> {
    if (wishes.length === 0) return Promise.resolve({ ports: [], release: () => {} });
    refuseNetwork(field, network);
    return this.parts.lock.run(LOCK, async () => {
      await this.checkAddresses(field, network.spec, wishes);
      const ports = this.choose(key, field, wishes);
      const claims = ports.map((port): PodPort => ({ key, port }));
      for (const claim of claims) this.pending.add(claim);
      return {
        ports,
        release: () => {
          for (const claim of claims) this.pending.delete(claim);
        },
      };
    });
  }

  /** What is recorded of the pod is in force when it resolves. */
  async put(key: string): Promise<void> {
    this.lookAtServices(this.recorded());
    if (this.sync(key)) await this.parts.services.settled();
  }

  /** Runs the removal of an attachment, before which its ports lead nowhere: its addresses may be another pod's next. */
  async without<T>(key: string, { port }: AttachmentRecord, action: () => Promise<T>): Promise<T> {
    this.leaving.add(port);
    try {
      await this.put(key).catch((error) => this.tell(key, error));
      return await action();
    } finally {
      this.leaving.delete(port);
      this.sync(key);
    }
  }

  /** Looks at all of them again: pods are up or Lost, services have come or gone. */
  review(): void {
    const published = this.recorded();
    if (published.length === 0 && this.told.size === 0) return;
    this.lookAtServices(published);
    for (const key of new Set([...this.told.keys(), ...published.map((one) => one.key)])) this.sync(key);
  }

  /** As they are shown. */
  statusOf({ published = [], ips }: AttachmentRecord): PublishedPortStatus[] {
    return published.map((port) => {
      const message = this.messageOf(port, ips);
      return { ...port, ...(message !== undefined && { message }) };
    });
  }

  private messageOf(port: PublishedPort, ips: readonly string[]): string | undefined {
    const { hostIP } = port;
    if (hostIP !== undefined && !ips.some((ip) => familyOf(ip) === familyOf(hostIP)))
      return `the pod has no IPv${familyOf(hostIP)} address`;
    const winner = this.winnerOf(port);
    return winner && `${winner} has the port`;
  }

  private winnerOf({ protocol, hostPort, hostIP }: PublishedPort): string | undefined {
    return this.winners.find({ protocol, port: hostPort, address: hostIP })?.whose;
  }

  private choose(key: string, field: string, wishes: readonly FullWish[]): PublishedPort[] {
    const { services } = this.parts;
    const all = wishes.some(({ hostPort }) => hostPort === undefined);
    const wanted = new Set(wishes.map(({ protocol, hostPort = 0 }) => portKey(protocol, hostPort)));
    const taken = new TakenHostPorts(
      [...this.recorded(), ...this.pending],
      portsOfServices(services.all, all ? undefined : wanted),
    );
    return wishes.map(({ hostPort, ...wish }) => {
      const port = hostPort === undefined ? taken.choose(field, wish, this.chosen++) : { ...wish, hostPort };
      taken.check(field, port);
      taken.take(key, port);
      return port;
    });
  }

  /** @throws PodwireError INVALID where it is not an address of this node, or of a family that the network has not */
  private async checkAddresses(
    field: string,
    { cidrs }: NetworkSpec,
    wishes: readonly FullWish[],
  ): Promise<void> {
    const given = new Set(wishes.flatMap(({ hostIP }) => hostIP ?? []));
    if (given.size === 0) return;
    const own = await this.parts.hostAddresses();
    for (const address of given) {
      const family = familyOf(address);
      if (!cidrs.some((cidr) => familyOf(cidr) === family))
        throw invalid(field, `${address}: the network has no IPv${family} addresses to lead to`);
      if (!isEvery(address) && !own.some((one) => one.address === address))
        throw invalid(field, `${address} is not an address of this node`);
    }
  }

  private recorded(): PodPort[] {
    return this.parts.records
      .list()
      .flatMap(([key, { attachments }]) =>
        attachments.flatMap(({ published = [] }) => published.map((port) => ({ key, port }))),
      );
  }

  /** @returns whether anything is different from before. */
  private sync(key: string): boolean {
    const planned = this.planOf(key);
    const before = this.told.get(key) ?? [];
    if (isDeepStrictEqual(planned, before)) return false;
    if (planned.length > 0) {
      this.told.set(key, planned);
      this.parts.services.setExtra(extraName(key), planned);
    } else {
      this.told.delete(key);
      this.parts.services.removeExtra(extraName(key));
    }
    return true;
  }

  private planOf(key: string): PlannedPort[] {
    const attachments = this.parts.records.get(key)?.attachments ?? [];
    return attachments
      .filter(({ port }) => !this.leaving.has(port))
      .flatMap((attachment) => {
        const target = { ips: attachment.ips, isUp: this.parts.isUp(attachment) };
        const { published = [] } = attachment;
        return published
          .filter((port) => this.winnerOf(port) === undefined)
          .flatMap((port) => planPublished(key, port, target));
      });
  }

  private lookAtServices(published: readonly PodPort[]): void {
    const generation = this.parts.generation();
    if (generation === this.seen) return;
    this.seen = generation;
    const wanted = new Set(published.map(({ port }) => portKey(port.protocol, port.hostPort)));
    this.winners = portsOfServices(this.parts.services.all, wanted);
    for (const one of published) this.tellWinner(one);
  }

  private tellWinner({ key, port }: PodPort): void {
    const [name, winner] = [hostName(port), this.winnerOf(port)];
    const id = `${key} ${name}`;
    if (winner === undefined) this.outOfForce.delete(id);
    else if (!this.outOfForce.has(id)) {
      this.outOfForce.add(id);
      const fields = { pod: key, port: name, winner };
      this.parts.log.warn(fields, 'published port out of force: a service has it');
    }
  }

  private tell(key: string, error: unknown): void {
    const { code, message } = asPodwireError(error);
    this.parts.log.warn({ pod: key, code, error: message }, 'published ports not taken away yet');
  }
}

/** Whether pods of the network can be reached from the node by the switch. */
export function leadsToNode({ spec }: Pick<LiveNetwork, 'spec'>): boolean {
  return isRouted(spec);
}

const WHY_NOT: Readonly<Partial<Record<NetworkSpec['mode'], string>>> = {
  host: 'its pods use the node’s own interfaces: what their programs listen on is reachable already',
  none: 'its pods have no interface that anything could lead to',
  raw: 'its pods are stations of the LAN, where they are reached by their own addresses',
  direct: 'it connects two pods and leads to nobody else',
};

function refuseNetwork(field: string, network: LiveNetwork): void {
  if (leadsToNode(network)) return;
  const { name, spec } = network;
  const why = WHY_NOT[spec.mode] ?? 'it is internal: nothing from outside reaches its pods';
  throw unsupported(field, `ports of pods in network ${name} (${spec.mode}) cannot be published: ${why}`);
}
