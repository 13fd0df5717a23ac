/**
 * Underlay: the network between nodes, in memory, for tests and for clusters simulated in one process. Tunnel
 * devices are attached to it under their addresses; what one sends to an address, the device there receives.
 *
 * Time is the caller's: a datagram is sent at the time of the last `deliver`, and `deliver(now)` hands over
 * what has arrived by then, at once the next time where nothing delays it. What happens on the way a function of
 * the caller decides for each message, with random numbers that a seed determines: late, twice, out of order or
 * not at all. So the same seed and the same calls give the same run, byte for byte.
 *
 * As real sockets do, it refuses what is larger than the path's MTU, and says so; several datagrams in one slot
 * arrive in one slot, as with UDP GRO, or one by one. Each device may have a pool of its own: bytes are copied.
 *
 * Nothing is lost to the counters: a datagram counts as sent once the underlay has taken it; lost on its way, to
 * an address where nobody is, or at a full queue, it is gone without a trace, as it would be.
 */
import type { DeviceContext } from '../device.js';
import { addressText, addressWords } from './remote.js';
import { SeededRandom } from './seeded-random.js';
import { UnderlayDevice } from './underlay-device.js';
import { type Due, TimeQueue } from './underlay-queue.js';

/** A message on its way: one datagram, or several of one length. */
export interface UnderlayMessage {
  readonly from: string;
  readonly to: string;
  /** The sender's source port, by the flow, and the port that it is for. */
  readonly fromPort: number;
  readonly toPort: number;
  readonly bytes: Uint8Array;
  /** The length of each of several datagrams; 0: there is one. */
  readonly gsoSize: number;
  /** When it was sent. */
  readonly at: number;
}

/**
 * What becomes of a message: how long each copy of it takes (ms). `[0]` arrives at once, `[]` never, `[5, 9]`
 * twice.
 */
export type Fate = (message: UnderlayMessage, random: SeededRandom) => readonly number[];

export interface UnderlayOptions {
  readonly seed?: number;
  /** Every message arrives at once without it. */
  readonly fate?: Fate;
  /** Largest IP packet between two addresses (bytes); 1500 without it. */
  readonly mtu?: (from: string, to: string) => number;
  /** Whether several datagrams in one slot arrive so; true without it. */
  readonly coalesces?: boolean;
}

export interface UnderlayEnd {
  /** The engine that the device belongs to. */
  readonly context: DeviceContext;
  /** Number of the tunnel's port in the engine. */
  readonly port: number;
  readonly address: string;
  /** The UDP port that is received on; 4789 without it. */
  readonly udpPort?: number;
  /** Without it: `tunnel` and the address. */
  readonly name?: string;
  /** Source ports among which a flow's hash chooses; 16 without it. */
  readonly sources?: number;
  /** The first of them; 49152 without it. */
  readonly firstSource?: number;
  readonly batchSize?: number;
  /** Messages that wait to be received; TX_QUEUE without it. */
  readonly depth?: number;
  /** A message was refused, because it is larger than the path to this address takes. */
  readonly onTooBig?: (address: string) => void;
}

interface UnderWay extends Due {
  readonly message: UnderlayMessage;
}

const AT_ONCE = [0];

export class Underlay {
  /** The time of the last `deliver`. */
  now = 0;
  private readonly devices = new Map<string, UnderlayDevice>();
  private readonly underWay = new TimeQueue<UnderWay>();
  private readonly random: SeededRandom;
  private readonly coalesces: boolean;
  private readonly mtu: (from: string, to: string) => number;
  private fate: Fate;
  private sent = 0;

  constructor(options: UnderlayOptions = {}) {
    this.random = new SeededRandom(options.seed ?? 1);
    this.fate = options.fate ?? (() => AT_ONCE);
    this.mtu = options.mtu ?? (() => 1500);
    this.coalesces = options.coalesces ?? true;
  }

  /** Makes a device at an address. Throws RangeError where one is there already, AddressError. */
  attach(end: UnderlayEnd): UnderlayDevice {
    const key = keyOf(addressText(addressWords(end.address)), end.udpPort ?? 4789);
    if (this.devices.has(key)) throw new RangeError(`${key} has a device`);
    const device = new UnderlayDevice(this, end, () => this.devices.delete(key));
    this.devices.set(key, device);
    return device;
  }

  /** Another rule for what is sent from now on. */
  setFate(fate: Fate): void {
    this.fate = fate;
  }

  /** The largest IP packet from one address to another, as the kernel would tell it. */
  pathMtu(from: string, to: string): number {
    return this.mtu(from, to);
  }

  /** When the next message arrives, or Infinity. */
  get nextDue(): number {
    return this.underWay.nextDue;
  }

  /** Messages on their way. */
  get count(): number {
    return this.underWay.count;
  }

  /** Takes a message from a device. */
  take(message: UnderlayMessage): void {
    for (const delay of this.fate(message, this.random)) {
      this.underWay.push({ message, due: this.now + delay, order: this.sent++ });
    }
  }

  /** Makes it that late, and hands over what has arrived. Answers how many messages found a device. */
  deliver(now: number): number {
    this.now = now;
    let found = 0;
    while (this.underWay.nextDue <= now) {
      const { message } = this.underWay.shift()!;
      const device = this.devices.get(keyOf(message.to, message.toPort));
      if (device === undefined) continue;
      if (this.coalesces) device.arrive(message);
      else for (const single of datagramsOf(message)) device.arrive(single);
      found++;
    }
    return found;
  }
}

function keyOf(address: string, port: number): string {
  return `${address} port ${port}`;
}

/** The datagrams of a message, each on its own. */
export function datagramsOf(message: UnderlayMessage): UnderlayMessage[] {
  const { bytes, gsoSize } = message;
  if (gsoSize === 0) return [message];
  const singles: UnderlayMessage[] = [];
  for (let at = 0; at < bytes.length; at += gsoSize) {
    singles.push({ ...message, gsoSize: 0, bytes: bytes.subarray(at, at + gsoSize) });
  }
  return singles;
}
