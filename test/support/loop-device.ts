/**
 * LoopDevice: receives the same packets over and over, and forgets what it sends. It allocates nothing once it
 * is made: the packets lie in slots of the pool and are copied from there. Packets with a `remote` are datagrams of
 * a tunnel.
 */
import type { Batch } from '../../src/dataplane/batch.js';
import { DEVICE_BATCH } from '../../src/dataplane/constants.js';
import type { Device } from '../../src/dataplane/device.js';
import type { Engine } from '../../src/dataplane/engine.js';
import { mappedWords } from '../../src/dataplane/tables/peer-table.js';
import { copyRemote } from '../../src/dataplane/tunnel/remote.js';
import { parseIp } from '../../src/wire/address.js';
import type { GoldenPacket } from './golden-case.js';

export class LoopDevice implements Device {
  readonly name: string;
  readonly carries: 'frames' | 'datagrams';
  readonly batchSize = DEVICE_BATCH;
  /** Slots of the packets that arrive, in turn. */
  private readonly templates: Uint32Array;
  private next = 0;

  constructor(
    private readonly engine: Engine,
    readonly port: number,
    readonly mtu: number,
    readonly offloads: number,
    packets: readonly GoldenPacket[],
  ) {
    this.name = `loop${port}`;
    this.carries = packets.some(({ remote }) => remote !== undefined) ? 'datagrams' : 'frames';
    this.templates = Uint32Array.from(packets, (packet) => this.keep(packet));
  }

  receive(batch: Batch): number {
    const { pool } = this.engine;
    const count = this.templates.length === 0 ? 0 : Math.min(this.batchSize, pool.free);
    for (let i = 0; i < count; i++) {
      batch.push(this.arrive(this.templates[this.next]));
      this.next = this.next + 1 === this.templates.length ? 0 : this.next + 1;
    }
    return count;
  }

  send(batch: Batch): void {
    const { pool, counters } = this.engine;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      counters.sent(this.port, pool.length[slot]);
      pool.release(slot);
    }
    batch.clear();
  }

  close(): void {
    for (const slot of this.templates) this.engine.pool.release(slot);
  }

  private keep({ bytes, facts, remote }: GoldenPacket): number {
    const { pool } = this.engine;
    const slot = pool.take();
    pool.bytes.set(bytes, pool.at[slot]);
    pool.reset(slot, bytes.length, this.port);
    pool.flags[slot] = facts.flags;
    pool.gsoType[slot] = facts.gsoType;
    pool.gsoSize[slot] = facts.gsoSize;
    pool.checksumStart[slot] = facts.checksumStart;
    pool.checksumOffset[slot] = facts.checksumOffset;
    if (remote !== undefined) this.setRemote(slot, remote);
    return slot;
  }

  private setRemote(slot: number, remote: string): void {
    const { pool } = this.engine;
    const [address, port] = remote.split(' ');
    pool.remote.set(mappedWords(parseIp(address)), slot * 4);
    pool.remotePort[slot] = Number(port);
  }

  private arrive(template: number): number {
    const { pool, context } = this.engine;
    const slot = pool.take();
    context.checksum.copy(pool.at[slot], pool.at[template], pool.length[template]);
    pool.copyFacts(template, slot);
    copyRemote(pool, template, slot);
    return slot;
  }
}
