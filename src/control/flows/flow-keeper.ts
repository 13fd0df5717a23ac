/**
 * Connections that outlive the daemon: written to a file in the data directory, and read back by the next one
 * (docs/decisions/0043).
 *
 * Written whole when the daemon stops, after the data plane has: then nothing has changed when the next one reads it. And as it runs, every
 * 30 s at most, for one that is killed: without what is opening, closing or unanswered, which would be something else by
 * then. Engines are not asked and do not wait: the memory of flows is read as `podwire flows` reads it, a few thousand entries at a
 * time, and this thread serves others in between. Where a save takes long, the next is later: it has a fiftieth of the thread.
 *
 * Read before there is any port. Connections of a port are given to the data plane when that is added, before a snapshot opens it. They come
 * without decisions, so their next packet is held against the policies and services of now; while services are not known yet,
 * they keep their backends.
 */
import { readFile } from 'node:fs/promises';
import { ENGINE } from '../../dataplane/flows/flow-memory.js';
import { ROW_WORDS_IPV6 } from '../../dataplane/flows/flow-rows.js';
import type { Snapshot } from '../../dataplane/snapshot.js';
import type { Dataplane } from '../../dataplane/worker/handle.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';
import { type Logger, RepeatedLog } from '../logger.js';
import { type FlowFileHead, readFlowFile, writeFlowFile } from './flow-file.js';
import { zoneNames, zoneNumber } from './flow-places.js';
import { SavedFlows } from './saved-flows.js';

export const FLOW_FILE = 'flows';
const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** ms between two saves, and how many times as long as one takes the next has to wait. */
const INTERVAL = 30_000;
const REST = 50;
/** Entries that are looked at in one go. */
const STEP = 4096;
/** Of a file: 96 bytes each, 160 of IPv6. With more, only those that are not opening, closing or unanswered; then the rest is left. */
export const MOST_SAVED = 1 << 20;
/** ms: older than any connection lives, and well within what flows' clock can tell. */
const OLDEST = 432_000_000;

export interface FlowKeeperParts {
  readonly dataplane: Pick<
    Dataplane,
    'flows' | 'flowRows' | 'flowTime' | 'tracked' | 'restoreFlows' | 'setServicesWhole'
  >;
  /** Of the file. */
  readonly path: string;
  readonly snapshot: () => Pick<Snapshot, 'domains' | 'ports'>;
  /** Number of a bridge domain, by its name in snapshots. */
  readonly domainOf: (name: string) => number | undefined;
  readonly log: Logger;
  readonly clock?: Clock;
  /** The machine's monotonic clock (ms). */
  readonly now?: () => number;
  /** Of the kernel. */
  readonly boot?: string;
}

export class FlowKeeper {
  /** Connections of an earlier daemon that this one has taken up. */
  restored = 0;
  private readonly ids = new Map<string, number>();
  private readonly names = new Map<number, string>();
  private saved: SavedFlows | undefined;
  private boot: string;
  private isStopped = false;
  private isWhole = true;
  /** Of the whole save to come. */
  private head: FlowFileHead | undefined;
  private running: Promise<void> = Promise.resolve();
  private timer: Timer | undefined;
  private wasEmpty = false;
  private readonly clock: Clock;
  private readonly repeated: RepeatedLog;

  constructor(private readonly parts: FlowKeeperParts) {
    this.clock = parts.clock ?? SYSTEM_CLOCK;
    this.boot = parts.boot ?? '';
    this.repeated = new RepeatedLog(parts.log);
  }

  /** Reads the file. Before any port is added. A file that is of no use is named in the log. */
  async load(): Promise<void> {
    const { path, log, dataplane } = this.parts;
    try {
      this.boot ||= (await readFile(BOOT_ID, 'utf8')).trim();
      const file = await readFlowFile(path);
      if (file === undefined) return;
      const problem = this.objection(file.head);
      if (problem === undefined) this.saved = new SavedFlows(file);
      else log.info({ file: path, reason: problem }, 'connections of before are not taken up');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.warn({ file: path, reason }, 'connections of before are not known: the file is of no use');
    }
    if (this.saved === undefined || this.saved.size === 0) return;
    this.isWhole = false;
    await dataplane.setServicesWhole(false);
  }

  /** A port has been added, and is closed as yet. Resolves when its connections are the data plane's. */
  async added(name: string, id: number): Promise<void> {
    this.ids.set(name, id);
    this.names.set(id, name);
    await this.restore(name, id);
  }

  /** All ports of before that are still there were added. What is left is forgotten. */
  async finish(): Promise<void> {
    const { saved } = this;
    if (saved === undefined) return;
    for (const [name, id] of this.ids) await this.restore(name, id);
    this.saved = undefined;
    this.parts.log.info({ restored: this.restored, left: saved.size }, 'connections of before are known');
  }

  /** All services are in force: from now on a connection is held against them. */
  async settle(): Promise<void> {
    if (this.isWhole) return;
    this.isWhole = true;
    await this.parts.dataplane.setServicesWhole(true);
  }

  /** Saves now, and then every now and again. */
  start(): void {
    if (this.isStopped) return;
    this.running = this.saveSome().then((took) => {
      if (!this.isStopped) this.timer = this.clock.after(Math.max(INTERVAL, REST * took), () => this.start());
    });
  }

  /** The daemon stops: no more is saved until the data plane has ended. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    await this.running;
    this.head = this.headOfNow();
  }

  /** The data plane has ended. Where it was stopped in order, connections are saved as they are. */
  async end(): Promise<void> {
    const { head } = this;
    if (head === undefined) return;
    const isAll = this.parts.dataplane.flows.count(ENGINE.SIZE) <= MOST_SAVED;
    let count = 0;
    await this.write(
      { ...head, time: this.now() },
      this.chunks(
        isAll,
        () => true,
        (n) => (count += n),
      ),
    );
    this.parts.log.info({ connections: count }, 'connections saved');
  }

  private objection({ boot, time }: FlowFileHead): string | undefined {
    if (boot !== this.boot) return 'the machine has been started again';
    const age = this.now() - time;
    if (age < 0) return 'its time is to come';
    return age > OLDEST ? 'all of them have lapsed' : undefined;
  }

  private async restore(name: string, id: number): Promise<void> {
    const { saved, ids } = this;
    const { dataplane, domainOf } = this.parts;
    if (saved === undefined) return;
    if (saved.isTracked(name)) dataplane.tracked[id] = 1;
    const zoneOf = (zone: string) => zoneNumber(zone, (port) => ids.get(port), domainOf);
    try {
      for (const rows of saved.take(name, id, zoneOf)) {
        // Not in one statement: ports are added side by side.
        const count = await dataplane.restoreFlows(id, rows);
        this.restored += count;
      }
    } catch (error) {
      this.parts.log.warn({ port: name, error: String(error) }, 'connections of before are not known');
    }
  }

  /** Answers how long it took (ms). What fails is told, and tried again. */
  private async saveSome(): Promise<number> {
    const begun = this.clock.now();
    const isEmpty = this.parts.dataplane.flows.count(ENGINE.SIZE) === 0;
    if (isEmpty && this.wasEmpty) return 0;
    try {
      const isSaved = await this.write(
        this.headOfNow(),
        this.chunks(false, () => !this.isStopped),
      );
      this.wasEmpty = isEmpty && isSaved;
      this.repeated.clear('save');
    } catch (error) {
      this.repeated.warn('save', { file: this.parts.path, error: String(error) }, 'connections not saved');
    }
    return this.clock.now() - begun;
  }

  private write(head: FlowFileHead, chunks: AsyncGenerator<Int32Array, boolean>): Promise<boolean> {
    return writeFlowFile(this.parts.path, head, chunks);
  }

  /** Ends with whether it went on to the end. */
  private async *chunks(
    isWhole: boolean,
    goesOn: () => boolean,
    counted: (flows: number) => unknown = () => {},
  ): AsyncGenerator<Int32Array, boolean> {
    const { dataplane } = this.parts;
    const { flowRows } = dataplane;
    const words = new Int32Array(STEP * ROW_WORDS_IPV6);
    let left = MOST_SAVED;
    for (let place = 0; place >= 0 && left > 0; ) {
      if (!goesOn()) return false;
      place = flowRows.copy(place, Math.min(STEP, left), dataplane.flowTime(), isWhole, words);
      left -= flowRows.count;
      counted(flowRows.count);
      if (flowRows.length > 0) yield words.subarray(0, flowRows.length);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return true;
  }

  private headOfNow(): FlowFileHead {
    const { tracked } = this.parts.dataplane;
    const ports = Object.fromEntries(this.names);
    return {
      boot: this.boot,
      time: this.now(),
      ports,
      zones: zoneNames(this.parts.snapshot(), (id) => this.names.get(id)),
      tracked: [...this.names].flatMap(([id, name]) => (tracked[id] === 1 ? name : [])),
    };
  }

  private now(): number {
    return this.parts.now?.() ?? Number(process.hrtime.bigint()) / 1e6;
  }
}
