/**
 * A cluster in one process: nodes, the underlay between them, the store that they share, and pods that write to each
 * other. Time is virtual and goes on by the millisecond; every chance comes from one seed. What happens is written
 * to a log of which a hash is kept: the same seed gives the same hash.
 *
 * Two laws are watched all the time: no pod is given what is for another or what its sender did not send; and at
 * rest every engine's counters add up and every slot is free.
 */
import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { TOTALS, type Total } from '../../src/dataplane/counters.js';
import { RANDOM_RANGE, SeededRandom } from '../../src/dataplane/devices/seeded-random.js';
import { Underlay, type UnderlayMessage } from '../../src/dataplane/devices/underlay.js';
import { readLetter, writeLetter } from './pod-packet.js';
import { SimClock, settled } from './sim-clock.js';
import { SimNode, type SimPod, viewOf } from './sim-node.js';
import { SimStore, SimStoreServer } from './sim-store.js';

/** What happens to datagrams between nodes, and to messages between a node and the store (ms, probabilities). */
export interface Weather {
  readonly delay: number;
  readonly jitter: number;
  readonly loss: number;
  readonly duplication: number;
  /** Held back by so much more by chance: one in ten. */
  readonly holdBack: number;
}

export const FAIR: Weather = { delay: 1, jitter: 1, loss: 0, duplication: 0, holdBack: 0 };

/** Where every line of the log goes too, for a look at a seed that failed. */
const LOG = process.env.PODWIRE_SIM_LOG;

export interface WorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly podsPerNode?: number;
  readonly weather?: Weather;
  /** Letters written in a millisecond, on average. */
  readonly letters?: number;
}

export class World {
  readonly clock = new SimClock();
  readonly underlay: Underlay;
  readonly server = new SimStoreServer(this.clock);
  readonly nodes: SimNode[] = [];
  readonly podsPerNode: number;
  weather: Weather;
  letters: number;
  /** Names of nodes of which nothing reaches the other nodes, and of nodes that cannot reach the store. */
  readonly cutOff = new Set<string>();
  readonly cutFromStore = new Set<string>();
  delivered = 0;
  written = 0;
  private readonly nodeAt = new Map<string, string>();
  private readonly random: SeededRandom;
  private readonly hash = createHash('sha256');
  private readonly seed: number;
  private isStirred = false;
  private failure: unknown;
  private subnetsGiven = 0;
  private addressesGiven = 0;
  /** Addresses of every pod that ever wrote. */
  private readonly senders = new Map<string, readonly string[]>();
  private awaited: Set<number> | undefined;

  constructor({ seed, nodes, podsPerNode = 1, weather = FAIR, letters = 0.5 }: WorldOptions) {
    this.seed = seed;
    this.podsPerNode = podsPerNode;
    this.weather = weather;
    this.letters = letters;
    this.random = new SeededRandom(seed);
    this.underlay = new Underlay({ seed, fate: (message, random) => this.fate(message, random) });
    for (let i = 0; i < nodes; i++) this.add(this.nextSubnets());
  }

  get now(): number {
    return this.clock.now();
  }

  /** The hash of everything that has happened. */
  get digest(): string {
    return this.hash.copy().digest('hex');
  }

  /** A new node, which joins with these subnets, or with any that are free. */
  add(subnets?: readonly string[]): SimNode {
    const index = this.nodes.length;
    const { clock } = this;
    const name = `n${index}`;
    const link = {
      delay: () => 1 + this.chance() * 4,
      isCut: () => this.cutFromStore.has(name),
    };
    const store = new SimStore(this.server, clock, link);
    const node = new SimNode(this, name, this.nextAddress(name), store, this.seed * 1000 + index, () =>
      this.chance(),
    );
    this.nodes.push(node);
    this.log(`${name} joins`);
    void node.join(subnets);
    return node;
  }

  /** Subnets that nobody ever had. */
  nextSubnets(): string[] {
    const number = ++this.subnetsGiven;
    return [`10.${200 + (number >> 8)}.${number & 255}.0/24`, `fd00:10:245:${number.toString(16)}::/64`];
  }

  nextAddress(name: string): string {
    const number = ++this.addressesGiven;
    const address = `192.168.${number >> 8}.${number & 255}`;
    this.nodeAt.set(address, name);
    return address;
  }

  log(line: string): void {
    const whole = `${this.now} ${line}`;
    this.hash.update(`${whole}\n`);
    if (LOG !== undefined) appendFileSync(LOG, `${whole}\n`);
  }

  /** Something has failed where nobody waits for it: the run ends with the next step. */
  broken(error: unknown): void {
    this.failure ??= error;
  }

  /** Promises may have something to do before time goes on. */
  stir(): void {
    this.isStirred = true;
  }

  programmed(node: SimNode): void {
    this.log(`${node.name} programs ${node.generation} with ${node.view.size} live peers`);
  }

  /** Lets `ms` pass. */
  async run(ms: number): Promise<void> {
    const end = this.now + ms;
    while (this.now < end) await this.step();
  }

  /** Lets time pass until `isReached`; how long it took. Throws after `limit` ms. */
  async until(what: string, limit: number, isReached: () => boolean): Promise<number> {
    const start = this.now;
    while (!isReached()) {
      if (this.now - start >= limit) this.fail(`not within ${limit} ms: ${what}`);
      await this.step();
    }
    this.log(`reached: ${what}`);
    return this.now - start;
  }

  /** Everybody knows the way to `node`, or, once it is dead, that there is none. */
  isKnown(node: SimNode): boolean {
    const wanted = node.isAlive
      ? viewOf({ address: node.address, mac: node.vtep, prefixes: node.subnets })
      : undefined;
    return this.nodes.every(
      (other) => other === node || !other.isAlive || other.view.get(node.name) === wanted,
    );
  }

  /** All know all; and the one asked about last knows all others too. */
  isConverged(): boolean {
    return this.nodes.every((node) => this.isKnown(node));
  }

  /** Every pod writes to a pod of every node, and all of it must arrive. */
  async expectDelivery(): Promise<void> {
    const { letters } = this;
    this.letters = 0;
    await this.run(200);
    this.awaited = new Set();
    const pods = this.nodes.filter(({ isAlive }) => isAlive).flatMap((node) => node.pods);
    for (const from of pods) {
      for (let i = 0; i < 3; i++) this.write(from, this.pick(pods));
      if (pods.indexOf(from) % 20 === 0) await this.step();
    }
    await this.run(100);
    if (this.awaited.size > 0) this.fail(`letters ${[...this.awaited].join(', ')} did not arrive`);
    this.awaited = undefined;
    this.letters = letters;
  }

  /** The laws that hold at rest: nothing is under way when this is called after a while without letters. */
  expectAtRest(): void {
    for (const { name, engine } of this.nodes) {
      const total = (which: Total): number => engine.counters.total(which);
      const came = total('received') + total('originated') + total('replicated');
      const went = total('sent') + total('consumed') + total('joined') + total('dropped');
      if (came !== went || engine.pool.free !== engine.pool.capacity || engine.held !== 0) {
        const totals = TOTALS.map((which) => `${which} ${total(which)}`).join(', ');
        this.fail(`${name} has lost something: ${totals}, ${engine.pool.free} slots free`);
      }
      this.log(`${name} ${TOTALS.map(total).join(' ')}`);
    }
  }

  received(pod: SimPod, bytes: Uint8Array): void {
    const found = readLetter(bytes);
    if (found === undefined) return;
    const { letter, source, destination } = found;
    if (letter.to !== pod.uid) this.fail(`${pod.uid} was given what is for ${letter.to}`);
    if (!pod.ips.includes(destination)) this.fail(`${pod.uid} was given what is for ${destination}`);
    const isFrom = this.senders.get(letter.from);
    if (isFrom === undefined || !isFrom.includes(source)) {
      this.fail(`${pod.uid} was given ${letter.from}'s words from ${source}`);
    }
    this.delivered++;
    this.awaited?.delete(letter.number);
    this.log(`${pod.uid} reads ${letter.number} of ${letter.from}`);
  }

  fail(problem: string): never {
    throw new Error(`seed ${this.seed}, at ${this.now} ms: ${problem}`);
  }

  /** 0 to 1. */
  chance(): number {
    return this.random.next() / RANDOM_RANGE;
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.chance() * from.length)];
  }

  private async step(): Promise<void> {
    const now = this.now + 1;
    await this.clock.advance(now);
    this.underlay.deliver(now);
    this.writeLetters();
    for (const node of this.nodes) if (node.isAlive) node.poll(now);
    if (this.isStirred) {
      this.isStirred = false;
      await settled();
    }
    if (this.failure !== undefined) this.fail(`something broke: ${(this.failure as Error).stack}`);
  }

  private writeLetters(): void {
    let budget = this.letters;
    const living = this.nodes.filter(({ isAlive, pods }) => isAlive && pods.length > 0);
    while (living.length > 1 && this.chance() < budget) {
      budget -= 1;
      this.write(this.pick(this.pick(living).pods), this.pick(this.pick(living).pods));
    }
  }

  private write(from: SimPod, to: SimPod): void {
    const family = this.chance() < 0.5 ? 0 : 1;
    const number = ++this.written;
    this.senders.set(from.uid, from.ips);
    const isLocal = from.node === to.node;
    if (isLocal && from === to) return;
    const frame = writeLetter(
      {
        source: from.ips[family],
        destination: to.ips[family],
        sourceMac: from.mac,
        destinationMac: isLocal ? to.mac : from.node.gatewayMac,
      },
      { from: from.uid, to: to.uid, number },
    );
    this.awaited?.add(number);
    if (this.awaited) this.log(`${from.uid} writes ${number} to ${to.uid} by IPv${family === 0 ? 4 : 6}`);
    from.device.inject(frame);
  }

  private fate({ from, to }: UnderlayMessage, random: SeededRandom): readonly number[] {
    const { delay, jitter, loss, duplication, holdBack } = this.weather;
    const happens = (rate: number): boolean => random.next() < rate * RANDOM_RANGE;
    const late = delay + (random.next() / RANDOM_RANGE) * jitter;
    const isLost = happens(loss);
    const isTwice = happens(duplication);
    const isHeldBack = happens(0.1);
    if (isLost || this.isCut(from) || this.isCut(to)) return [];
    const first = isHeldBack ? late + holdBack : late;
    return isTwice ? [first, late + 1] : [first];
  }

  private isCut(address: string): boolean {
    return this.cutOff.size > 0 && this.cutOff.has(this.nodeAt.get(address) ?? '');
  }
}
