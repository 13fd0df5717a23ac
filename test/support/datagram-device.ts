/**
 * A tunnel device whose other side is the program itself: `inject` makes a datagram arrive, `take` hands out what was
 * sent, each with the underlay address of the other end. Several datagrams of one length may lie in one slot, as
 * UDP_GRO and UDP_SEGMENT have them: `gsoSize` of the facts is then the length of each.
 */
import type { Batch } from '../../src/dataplane/batch.js';
import { DEVICE_BATCH } from '../../src/dataplane/constants.js';
import type { Device, DeviceContext } from '../../src/dataplane/device.js';
import type { OffloadFacts, TakenPacket } from '../../src/dataplane/devices/memory.js';
import { mappedWords } from '../../src/dataplane/tables/peer-table.js';
import { formatIp, parseIp } from '../../src/wire/address.js';

export interface TakenDatagram extends TakenPacket {
  /** `192.168.77.2 4789`: address and UDP port. */
  readonly remote: string;
  /** The flow's hash. */
  readonly hash: number;
}

interface Arriving {
  readonly bytes: Uint8Array;
  readonly gsoSize: number;
  readonly words: readonly number[];
  readonly port: number;
}

const MAPPED = 0xffff;

export class DatagramDevice implements Device {
  readonly carries = 'datagrams';
  readonly offloads = 0;
  readonly batchSize = DEVICE_BATCH;
  private arriving: Arriving[] = [];
  private left: TakenDatagram[] = [];

  constructor(
    private readonly context: DeviceContext,
    readonly port: number,
    readonly name: string,
    readonly mtu: number,
    /** Where a datagram comes from of which nothing is said. */
    private readonly usual: string,
  ) {}

  get waiting(): number {
    return this.arriving.length;
  }

  inject(bytes: Uint8Array, facts: Partial<OffloadFacts> = {}, remote = this.usual): void {
    const [address, port] = remote.split(' ');
    const words = mappedWords(parseIp(address));
    this.arriving.push({ bytes: bytes.slice(), gsoSize: facts.gsoSize ?? 0, words, port: Number(port) });
  }

  take(): TakenDatagram[] {
    const { left } = this;
    this.left = [];
    return left;
  }

  receive(batch: Batch): number {
    const count = Math.min(this.waiting, this.batchSize, this.context.pool.free);
    for (const datagram of this.arriving.splice(0, count)) batch.push(this.arrive(datagram));
    return count;
  }

  send(batch: Batch): void {
    const { pool, counters } = this.context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      this.left.push(this.copyOut(slot));
      counters.sent(this.port, pool.length[slot]);
      pool.release(slot);
    }
    batch.clear();
  }

  close(): void {
    this.arriving = [];
  }

  private arrive({ bytes, gsoSize, words, port }: Arriving): number {
    const { pool } = this.context;
    const slot = pool.take();
    pool.reset(slot, bytes.length, this.port);
    pool.bytes.set(bytes, pool.at[slot]);
    pool.gsoSize[slot] = gsoSize;
    pool.remote.set(words, slot * 4);
    pool.remotePort[slot] = port;
    return slot;
  }

  private copyOut(slot: number): TakenDatagram {
    const { pool } = this.context;
    const at = pool.at[slot];
    const words = Uint32Array.from(pool.remote.subarray(slot * 4, slot * 4 + 4));
    const isMapped = words[0] === 0 && words[1] === 0 && words[2] === MAPPED;
    const address = formatIp(isMapped ? { family: 4, words: words.slice(3) } : { family: 6, words });
    return {
      bytes: pool.bytes.slice(at, at + pool.length[slot]),
      flags: pool.flags[slot],
      gsoType: pool.gsoType[slot],
      gsoSize: pool.gsoSize[slot],
      checksumStart: pool.checksumStart[slot],
      checksumOffset: pool.checksumOffset[slot],
      remote: `${address} ${pool.remotePort[slot]}`,
      hash: pool.info[slot],
    };
  }
}
