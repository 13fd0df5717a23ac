/**
 * A prober with a clock that the test sets, and peers that answer when the test says so. Answers are put together
 * here octet by octet, with a checksum of their own.
 */
import { Batch } from '../../../src/dataplane/batch.js';
import { PEER_EGRESS } from '../../../src/dataplane/constants.js';
import { Counters } from '../../../src/dataplane/counters.js';
import { Context } from '../../../src/dataplane/element.js';
import { Learned } from '../../../src/dataplane/learned.js';
import { KIND, PacketPool } from '../../../src/dataplane/pool.js';
import { Prober } from '../../../src/dataplane/prober.js';
import type { PeerSpec, Snapshot } from '../../../src/dataplane/snapshot.js';
import { compileTables, Tables } from '../../../src/dataplane/tables.js';
import { formatIp, parseIp } from '../../../src/wire/address.js';
import { wasmChecksum } from '../../../src/wire/checksum-kernel.js';

export const TUNNEL = 3;
export const OWN_4 = '10.244.0.1';
export const OWN_6 = 'fd00:10:244::1';

export function peer(id: number, more: Partial<PeerSpec> = {}): PeerSpec {
  return {
    id,
    name: `node${id}`,
    address: `192.0.${id >> 8}.${id & 255}`,
    port: 4789,
    mac: `02:00:00:00:${hexByte(id >> 8)}:${hexByte(id & 255)}`,
    prefixes: [`10.${100 + (id >> 8)}.${id & 255}.0/24`, `fd00:10:244:${id.toString(16)}::/64`],
    mtu: 1450,
    probe: `10.${100 + (id >> 8)}.${id & 255}.1`,
    ...more,
  };
}

export function peer6(id: number): PeerSpec {
  return peer(id, { probe: `fd00:10:244:${id.toString(16)}::1` });
}

function hexByte(value: number): string {
  return value.toString(16).padStart(2, '0');
}

export function snapshot(peers: readonly PeerSpec[], more: Partial<Snapshot> = {}): Snapshot {
  return {
    generation: 1,
    ports: [],
    domains: [
      {
        id: 0,
        name: 'pods',
        gatewayMac: '02:70:00:00:00:01',
        gateways: [OWN_4, OWN_6],
        learning: false,
        vni: 1,
      },
    ],
    routes: [],
    neighbours: [],
    tunnel: { port: TUNNEL, domain: 0 },
    peers,
    ...more,
  };
}

/** A probe as it left: the frame from the Ethernet header on. */
export interface Sent {
  readonly peer: number;
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly port: number;
  readonly domain: number;
}

export interface AnswerOptions {
  /** Inner source address; the probed one without it. */
  readonly from?: string;
  /** The message around or instead of the probe's; an echo reply without it. */
  readonly kind?: 'reply' | 'exceeded' | 'unreachable' | 'request';
  /** Changes the finished packet. */
  readonly change?: (packet: Uint8Array) => void;
  readonly port?: number;
  readonly domain?: number;
}

const ETHERNET = 14;

export class ProberFixture {
  now = 1000;
  readonly pool: PacketPool;
  readonly counters = new Counters();
  readonly context: Context;
  readonly output: Batch;
  readonly prober: Prober;
  readonly events: string[] = [];

  constructor(peers: readonly PeerSpec[], seed = 7, slots = 512) {
    this.pool = new PacketPool(slots);
    this.output = new Batch(slots);
    const checksum = wasmChecksum(this.pool.memory);
    const learned = new Learned(this.counters, 1);
    this.context = new Context(this.pool, checksum, this.counters, learned, Tables.empty());
    this.prober = new Prober(this.context, this.output, seed);
    this.prober.onPeer = (id, isUp) => this.events.push(`${id} ${isUp ? 'up' : 'down'}`);
    this.swap(snapshot(peers));
  }

  swap(next: Snapshot): void {
    const before = this.context.tables;
    this.context.tables = Tables.from(compileTables(next));
    this.prober.swap(before, this.context.tables);
  }

  /** One sweep; what it sent. */
  sweep(): Sent[] {
    this.context.now = this.now;
    this.prober.sweep(this.now);
    return this.take();
  }

  /** Sweeps as often as the prober asks for until `until`, and lets `respond` see each probe. */
  run(until: number, respond: (sent: Sent) => void = () => {}): Sent[] {
    const all: Sent[] = [];
    while (this.now < until) {
      this.context.now = this.now;
      const wait = this.prober.sweep(this.now);
      const sent = this.take();
      all.push(...sent);
      for (const one of sent) respond(one);
      this.now = Math.min(until, this.now + (wait < 0 ? until - this.now : wait));
    }
    this.context.now = this.now;
    return all;
  }

  /** Offers an answer to the prober, at the present time; whether it took it. */
  answer(sent: Sent, options: AnswerOptions = {}): boolean {
    const packet = answerTo(sent.bytes.slice(ETHERNET), options);
    options.change?.(packet);
    const { pool } = this;
    const slot = pool.take();
    const at = pool.at[slot];
    const isIpv4 = packet[0] >>> 4 === 4;
    pool.reset(slot, ETHERNET + packet.length, options.port ?? TUNNEL);
    pool.bytes.set(packet, at + ETHERNET);
    pool.domain[slot] = options.domain ?? 0;
    pool.kind[slot] = isIpv4 ? KIND.IPV4 : KIND.IPV6;
    pool.l3[slot] = at + ETHERNET;
    pool.l3Length[slot] = packet.length;
    pool.l4[slot] = at + ETHERNET + (isIpv4 ? 20 : 40);
    this.context.now = this.now;
    const isTaken = this.prober.accept(slot);
    pool.release(slot);
    return isTaken;
  }

  private take(): Sent[] {
    const { pool, output } = this;
    const sent = Array.from(output.slots.subarray(0, output.count), (slot) => ({
      peer: pool.egress[slot] - PEER_EGRESS,
      at: this.now,
      bytes: pool.bytes.slice(pool.at[slot], pool.at[slot] + pool.length[slot]),
      port: pool.port[slot],
      domain: pool.domain[slot],
    }));
    for (const slot of output.slots.subarray(0, output.count)) pool.release(slot);
    output.clear();
    return sent;
  }
}

/** An answer to the probe `packet`: IP header, ICMP header, and the quoted probe of an error. */
function answerTo(packet: Uint8Array, { from, kind = 'reply' }: AnswerOptions): Uint8Array {
  const isIpv4 = packet[0] >>> 4 === 4;
  const types = isIpv4
    ? { reply: 0, exceeded: 11, unreachable: 3, request: 8 }
    : { reply: 129, exceeded: 3, unreachable: 1, request: 128 };
  const l4 = isIpv4 ? 20 : 40;
  const probed = formatIp(readIp(packet, isIpv4 ? 16 : 24, isIpv4));
  const isError = kind === 'exceeded' || kind === 'unreachable';
  const message = isError ? [types[kind], 0, 0, 0, 0, 0, 0, 0, ...packet] : [...packet.subarray(l4)];
  message[0] = types[kind];
  const own = isIpv4 ? OWN_4 : OWN_6;
  const source = octets(from ?? probed);
  const header = isIpv4
    ? [0x45, 0, 0, l4 + message.length, 0, 0, 0, 0, 64, 1, 0, 0, ...source, ...octets(own)]
    : [0x60, 0, 0, 0, 0, message.length, 58, 64, ...source, ...octets(own)];
  return Uint8Array.from([...header, ...message]);
}

function readIp(packet: Uint8Array, at: number, isIpv4: boolean): ReturnType<typeof parseIp> {
  const view = new DataView(packet.buffer, packet.byteOffset);
  const words = Uint32Array.from({ length: isIpv4 ? 1 : 4 }, (_, i) => view.getUint32(at + i * 4));
  return { family: isIpv4 ? 4 : 6, words };
}

function octets(address: string): number[] {
  return [...parseIp(address).words].flatMap((word) => [24, 16, 8, 0].map((shift) => (word >>> shift) & 255));
}
