import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FlowKeeper, type FlowKeeperParts } from '../../../../src/control/flows/flow-keeper.js';
import { FlowKey } from '../../../../src/dataplane/flows/flow-key.js';
import { type FlowMemory, makeFlowMemory } from '../../../../src/dataplane/flows/flow-memory.js';
import { FlowReader, type FlowRow } from '../../../../src/dataplane/flows/flow-reader.js';
import { FlowRestorer } from '../../../../src/dataplane/flows/flow-restore.js';
import { FlowRows } from '../../../../src/dataplane/flows/flow-rows.js';
import { FlowTable } from '../../../../src/dataplane/flows/flow-table.js';
import {
  FIRST_DOMAIN_ZONE,
  FIRST_PAIR_ZONE,
  ROUTED_ZONE,
} from '../../../../src/dataplane/policy/connection-key.js';
import { FLAG } from '../../../../src/wire/tcp.js';

const { SYN, ACK } = FLAG;
const TCP = 6;
const BOOT = 'this-boot';
const FIXED = 32;

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-flows-'));
  path = join(folder, 'flows');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A data plane without threads, and what one daemon keeps of its connections. */
class Side {
  millis = 1000;
  /** Whether all services were told. */
  isWhole = true;
  readonly lines: Record<string, unknown>[] = [];
  readonly memory: FlowMemory;
  readonly table: FlowTable;
  readonly tracked = new Uint8Array(16);
  readonly keeper: FlowKeeper;
  private readonly later: (() => void)[] = [];

  constructor(
    options: Partial<FlowKeeperParts> = {},
    domains: Record<string, number> = {},
    pairs: readonly (readonly [number, number])[] = [],
    capacity = 16_384,
  ) {
    this.memory = makeFlowMemory(capacity, 1, Math.floor(Math.random() * 1e6));
    this.table = new FlowTable({ memory: this.memory, ports: 16 });
    const attachment = (peer: number) => ({ kind: 'direct', peer }) as const;
    this.keeper = new FlowKeeper({
      dataplane: {
        flows: new FlowReader(this.memory),
        flowRows: new FlowRows(this.memory),
        flowTime: () => this.millis,
        tracked: this.tracked,
        restoreFlows: async (_port, rows) => {
          await new Promise((resolve) => setImmediate(resolve));
          return new FlowRestorer(this.table).restore(rows, this.millis);
        },
        setServicesWhole: async (isWhole) => {
          this.isWhole = isWhole;
        },
      },
      path,
      snapshot: () => ({
        domains: Object.entries(domains).map(([name, id]) => ({ id, name }) as never),
        ports: pairs.flatMap(([a, b]) => [
          { id: a, attachment: attachment(b) } as never,
          { id: b, attachment: attachment(a) } as never,
        ]),
      }),
      domainOf: (name) => domains[name],
      log: pino(
        {},
        { write: (line: string) => this.lines.push(JSON.parse(line) as Record<string, unknown>) },
      ),
      clock: {
        now: () => this.millis,
        after: (_ms, action) => {
          this.later.push(action);
          return { cancel: () => this.later.splice(this.later.indexOf(action), 1) };
        },
      },
      now: () => this.millis,
      boot: BOOT,
      ...options,
    });
  }

  /** An established connection number `n`, opened at `port`. */
  connect(n: number, port: number, zone = ROUTED_ZONE): void {
    const [original, reply] = [new FlowKey(this.table.hash), new FlowKey(this.table.hash)];
    original.setIpv4(zone, TCP, 0x0a000000 + n, 0x0a090909, 0x9c400050);
    reply.mirror(original, zone);
    let handle = this.table.open(original, reply, port, SYN, this.millis);
    for (const [way, flags] of [
      [0, SYN],
      [1, SYN | ACK],
      [0, ACK],
    ] as const) {
      // prettier-ignore
      handle = this.table.lookup(way === 0 ? original : reply, this.millis);
      this.table.track(handle, this.table.found.state, flags, 1, 1, 1, 60, this.millis);
    }
  }

  /** One that was only asked for. */
  knock(n: number, port: number): void {
    const [original, reply] = [new FlowKey(this.table.hash), new FlowKey(this.table.hash)];
    original.setIpv4(ROUTED_ZONE, TCP, 0x0a000000 + n, 0x0a090909, 0x9c400050);
    reply.mirror(original, ROUTED_ZONE);
    this.table.open(original, reply, port, SYN, this.millis);
  }

  async add(ports: Record<string, number>): Promise<this> {
    for (const [name, id] of Object.entries(ports)) await this.keeper.added(name, id);
    return this;
  }

  async stop(): Promise<void> {
    await this.keeper.stop();
    await this.keeper.end();
  }

  /** As the next daemon. */
  async take(ports: Record<string, number>): Promise<this> {
    await this.keeper.load();
    await this.add(ports);
    await this.keeper.finish();
    return this;
  }

  /** `number of the connection: port, zone`. */
  get known(): string[] {
    const rows: FlowRow[] = [];
    new FlowReader(this.memory).read(0, this.memory.capacity, this.millis, (row) => rows.push(row));
    return rows
      .map(
        ({ original, port, reply }) =>
          `${original.source[0] & 0xffff}: ${port} ${original.zone} ${reply.zone}`,
      )
      .sort();
  }

  logged(message: string): Record<string, unknown>[] {
    return this.lines.filter(({ msg }) => msg === message);
  }

  /** What is to be done later. */
  async tick(): Promise<void> {
    for (const action of this.later.splice(0)) action();
    await this.settled();
  }

  async settled(): Promise<void> {
    while (this.later.length === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

async function saveThree(): Promise<Side> {
  const side = await new Side().add({ 'default/a': 1, 'default/b': 2 });
  for (const n of [1, 2, 3]) side.connect(n, n < 3 ? 1 : 2);
  await side.stop();
  return side;
}

const NAMED = 'connections of before are not known: the file is of no use';

describe('connections over a restart', () => {
  it('are those of ports with the same name, whatever numbers ports, domains and pairs have now', async () => {
    const first = new Side({}, { internal: 4, 'internal#1': 5 }, [[2, 3]]);
    await first.add({ 'default/a': 1, 'default/b': 2, 'default/c': 3, podwire0: 0 });
    first.connect(1, 1);
    first.connect(2, 1, FIRST_DOMAIN_ZONE + 5);
    first.connect(3, 3, FIRST_PAIR_ZONE + 2);
    first.connect(4, 0, 0);
    first.tracked[2] = 1;
    await first.stop();
    expect(first.logged('connections saved')).toMatchObject([{ connections: 4 }]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['flows']);

    const next = new Side({}, { other: 5, internal: 8, 'internal#1': 9 });
    await next.keeper.load();
    expect(next.isWhole).toBe(false);
    await next.add({ podwire0: 3, 'default/c': 7, 'default/a': 4 });
    expect(next.known, 'a pair that is not whole').toEqual([
      '1: 4 1 1',
      `2: 4 ${2 + 9} ${2 + 9}`,
      '4: 3 0 0',
    ]);
    await next.add({ 'default/b': 6 });
    expect([...next.tracked].indexOf(1)).toBe(6);
    await next.keeper.finish();
    expect(next.known).toContain(`3: 7 ${FIRST_PAIR_ZONE + 6} ${FIRST_PAIR_ZONE + 6}`);
    expect(next.keeper.restored).toBe(4);
    expect(next.logged('connections of before are known')).toMatchObject([{ restored: 4, left: 0 }]);
    expect(next.isWhole).toBe(false);
    await next.keeper.settle();
    expect(next.isWhole).toBe(true);
  });

  it('go with a port, or a domain, that is not there any more', async () => {
    const first = await new Side({}, { internal: 4 }).add({ 'default/a': 1, 'default/b': 2 });
    first.connect(1, 1);
    first.connect(2, 2);
    first.connect(3, 2, FIRST_DOMAIN_ZONE + 4);
    await first.stop();
    const next = await new Side().take({ 'default/b': 1, 'default/x': 2 });
    expect(next.known).toEqual(['2: 1 1 1']);
    expect(next.logged('connections of before are known')).toMatchObject([{ restored: 1, left: 2 }]);
    await next.add({ 'default/a': 5 });
    expect(next.known).toEqual(['2: 1 1 1']);
  });

  it('are saved while the daemon runs, without what is opening; and whole when it stops', async () => {
    const first = await new Side().add({ 'default/a': 1 });
    first.connect(1, 1);
    first.knock(2, 1);
    first.keeper.start();
    await first.settled();
    const killed = await new Side().take({ 'default/a': 1 });
    expect(killed.known).toEqual(['1: 1 1 1']);
    first.connect(3, 1);
    await first.tick();
    expect((await new Side().take({ 'default/a': 1 })).known).toEqual(['1: 1 1 1', '3: 1 1 1']);
    await first.stop();
    expect((await new Side().take({ 'default/a': 1 })).known).toEqual(['1: 1 1 1', '2: 1 1 1', '3: 1 1 1']);
  });

  it('are not touched by a daemon that did not start', async () => {
    await saveThree();
    const before = readFileSync(path);
    const next = new Side();
    await next.keeper.load();
    await next.keeper.end();
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('lapse while no daemon runs', async () => {
    await saveThree();
    const next = new Side();
    next.millis = 1000 + 431_999_000;
    expect((await next.take({ 'default/a': 1 })).known.length).toBe(2);
    const later = new Side();
    later.millis = 1000 + 432_001_000;
    await later.take({ 'default/a': 1 });
    expect([later.known, later.logged('connections of before are not taken up').length]).toEqual([[], 1]);
  });

  it('are many: read and written a few thousand at a time', async () => {
    const first = await new Side().add({ 'default/a': 1, 'default/b': 2 });
    for (let n = 0; n < 12_000; n++) first.connect(n, 1 + (n & 1));
    await first.stop();
    const next = new Side();
    await next.keeper.load();
    await Promise.all([next.add({ 'default/a': 2 }), next.add({ 'default/b': 1 })]);
    await next.keeper.finish();
    expect([next.keeper.restored, new Set(next.known).size]).toEqual([12_000, 12_000]);
  });
});

describe('a file that is of no use', () => {
  const damaged: readonly [name: string, damage: (file: Buffer) => Buffer | undefined, reason: RegExp][] = [
    ['is empty', () => Buffer.alloc(0), /no file of connections/],
    ['is another', () => Buffer.from('x'.repeat(200)), /no file of connections/],
    ['is of another version', (file) => void file.writeUInt32LE(2, 8), /version 2/],
    ['is cut off', (file) => file.subarray(0, file.length - 1), /length/],
    ['is longer', (file) => Buffer.concat([file, Buffer.alloc(4)]), /length/],
    ['has a wrong length', (file) => void file.writeDoubleLE(1e300, 16), /length/],
    ['has another row', (file) => void file.writeUInt8(77, file.length - 9), /checksum/],
    ['has another head', (file) => void file.writeUInt8(77, FIXED + 3), /checksum/],
    ['has a row that cannot be', (file) => sealed(file, (rows) => rows.writeInt32LE(31, 0)), /row/],
    ['has half a row', (file) => sealed(file, (rows) => rows.writeInt32LE(0x100, 2 * 96 + 19 * 4)), /row/],
  ];

  /** Changes rows and makes the checksum right again. */
  function sealed(file: Buffer, change: (rows: Buffer) => void): Buffer {
    change(file.subarray(FIXED + file.readUInt32LE(12)));
    file.writeUInt32LE(crc32(file.subarray(FIXED)), 24);
    return file;
  }

  it.each(damaged)('that %s is named in the log, and the daemon goes on', async (_name, damage, reason) => {
    await saveThree();
    const whole = readFileSync(path);
    writeFileSync(path, damage(whole) ?? whole);
    const next = await new Side().take({ 'default/a': 1, 'default/b': 2 });
    expect([next.known, next.isWhole]).toEqual([[], true]);
    const [{ file, reason: said }] = next.logged(NAMED) as [{ file: string; reason: string }];
    expect(file).toBe(path);
    expect(said).toMatch(reason);
    next.connect(9, 1);
    await next.stop();
    expect((await new Side().take({ 'default/a': 1 })).known).toEqual(['9: 1 1 1']);
  });

  it('is one of another start of the machine, or of a clock that is ahead', async () => {
    await saveThree();
    const other = await new Side({ boot: 'another' }).take({ 'default/a': 1 });
    expect([other.known, other.logged('connections of before are not taken up')]).toMatchObject([
      [],
      [{ reason: 'the machine has been started again' }],
    ]);
    const early = await new Side({ now: () => 0 }).take({ 'default/a': 1 });
    expect([early.known, early.logged('connections of before are not taken up').length]).toEqual([[], 1]);
  });

  it('cannot be written: it is told once, and tried again', async () => {
    const side = new Side({ path: join(folder, 'none', 'flows') });
    await side.add({ 'default/a': 1 });
    side.connect(1, 1);
    side.keeper.start();
    await side.settled();
    await side.tick();
    expect(side.logged('connections not saved').length).toBe(1);
  });
});
