/**
 * Ports of the switch: the numbers, and what is behind each. A number is given out again only when the data
 * plane has closed the port that had it.
 */
import { MAX_PORTS } from '../dataplane/constants.js';
import { PodwireError } from './errors.js';
import { closeRaw, type RawLink } from './host/raw.js';
import { closeTap, offloadBits, type Tap } from './host/tap.js';
import { NumberPool } from './numbers.js';
import type { PlannedPort } from './plan.js';

/** The data plane's part in it; src/dataplane/worker/handle.ts. */
export interface PortTarget {
  addPort(port: { id: number; name: string; fd: number; mtu: number; offloads: number }): Promise<void>;
  addRaw(port: {
    id: number;
    name: string;
    fd: number;
    mtu: number;
    offloads: number;
    vlan?: number;
  }): Promise<void>;
  removePort(id: number): Promise<void>;
}

export interface LivePort<T extends PlannedPort = PlannedPort> {
  /** The TAP's descriptor: the data plane's, good for ioctls until the port is removed. */
  readonly fd: number;
  planned: T;
  /** It is a packet socket's instead: the interface is not the port's and outlives it. */
  readonly isRaw?: boolean;
}

export class Ports {
  /** Told of each port that was added, which is closed until the answer resolves. */
  onAdded: (name: string, id: number) => Promise<void> = async () => {};
  private readonly live = new Map<string, LivePort>();
  private readonly ids = new NumberPool(0, MAX_PORTS);

  constructor(private readonly target: PortTarget) {}

  /** By the name of the port: `default/web`. */
  get(name: string): LivePort | undefined {
    return this.live.get(name);
  }

  withId(id: number): LivePort | undefined {
    return [...this.live.values()].find(({ planned }) => planned.id === id);
  }

  planned(): PlannedPort[] {
    return [...this.live.values()].map(({ planned }) => planned);
  }

  /**
   * Gives the TAP, and its descriptor, to the data plane as a port, which is closed until it is published. The
   * TAP is closed where this fails.
   * @throws PodwireError PORTS_EXHAUSTED
   */
  async add<T extends PlannedPort>(port: Omit<T, 'id'>, tap: Tap): Promise<LivePort<T>> {
    const id = this.ids.take();
    try {
      if (id === undefined) throw exhausted();
      const planned = { ...port, id } as T;
      await this.target.addPort({
        id,
        name: port.name,
        fd: tap.fd,
        mtu: port.mtu,
        offloads: offloadBits(tap),
      });
      await this.onAdded(port.name, id);
      return { fd: tap.fd, planned };
    } catch (error) {
      closeTap(tap);
      if (id !== undefined) this.ids.release(id);
      throw error;
    }
  }

  /**
   * Gives a packet socket to the data plane as a port, which is closed until it is published. The socket is closed
   * where this fails. @returns the port's number. @throws PodwireError PORTS_EXHAUSTED
   */
  async addRaw(port: { readonly name: string; readonly vlan?: number }, link: RawLink): Promise<number> {
    const id = this.ids.take();
    try {
      if (id === undefined) throw exhausted();
      const { fd, mtu, offloads } = link;
      await this.target.addRaw({ id, ...port, fd, mtu, offloads });
      await this.onAdded(port.name, id);
      return id;
    } catch (error) {
      closeRaw(link);
      if (id !== undefined) this.ids.release(id);
      throw error;
    }
  }

  /** The same for an attachment, which is to be enlisted. @throws PodwireError PORTS_EXHAUSTED */
  async addGuest<T extends PlannedPort>(port: Omit<T, 'id'>, link: RawLink): Promise<LivePort<T>> {
    const id = await this.addRaw({ name: port.name }, link);
    return { fd: link.fd, planned: { ...port, id } as T, isRaw: true };
  }

  /** A number for a port that is no TAP; it is never free again. @throws PodwireError PORTS_EXHAUSTED */
  reserve(): number {
    const id = this.ids.take();
    if (id !== undefined) return id;
    throw exhausted();
  }

  /** From now on the port is part of what is published. */
  enlist(port: LivePort): void {
    this.live.set(port.planned.name, port);
  }

  /** From now on it is not; it goes on existing. */
  delist(port: LivePort): void {
    if (this.live.get(port.planned.name) === port) this.live.delete(port.planned.name);
  }

  /** What is to be published of the port from now on. */
  replan(port: LivePort, change: Pick<PlannedPort, 'limits'>): void {
    port.planned = { ...port.planned, ...change };
  }

  /** Closes the TAP; one that is not persistent disappears. */
  remove({ planned: { id } }: LivePort): Promise<void> {
    return this.removeRaw(id);
  }

  /** Closes the packet socket. */
  async removeRaw(id: number): Promise<void> {
    await this.target.removePort(id);
    this.ids.release(id);
  }
}

function exhausted(): PodwireError {
  return new PodwireError('PORTS_EXHAUSTED', `the switch has ${MAX_PORTS} ports already`);
}
