/**
 * Connections of a file, sorted by the port that they were opened at, and given out as rows with the numbers that ports and zones have
 * now. Each is given out once. What is damaged despite its checksum is an error, as a whole.
 */
import { isRowState, ROW, rowLength, subjectAt } from '../../dataplane/flows/flow-rows.js';
import { type FlowFile, FlowFileError } from './flow-file.js';

/** Rows that go to a worker at once: some milliseconds. */
const CHUNK = 2048;
const ZONE_SHIFT = 16;
const BELOW_ZONE = 0xffff;

export class SavedFlows {
  /** Where rows begin, by the name of the port. */
  private readonly rows = new Map<string, number[]>();
  private readonly tracked: ReadonlySet<string>;

  /** @throws FlowFileError */
  constructor(private readonly file: FlowFile) {
    const { rows: words, head } = file;
    this.tracked = new Set(head.tracked);
    for (let at = 0; at < words.length; ) {
      const length = rowLength(words, at);
      if (at + length > words.length || !isRowState(words[at + ROW.STATE]))
        throw new FlowFileError('a row in it cannot be');
      this.enlist(head.ports[words[at + ROW.PORT]], at);
      at += length;
    }
  }

  /** How many were not given out yet. */
  get size(): number {
    let sum = 0;
    for (const { length } of this.rows.values()) sum += length;
    return sum;
  }

  /** Whether answers to translated connections come in at the port. */
  isTracked(port: string): boolean {
    return this.tracked.has(port);
  }

  /**
   * Those of a port, in chunks. What is in a zone that `zoneOf` does not know stays, for another time.
   * @param id that the port has now
   */
  *take(port: string, id: number, zoneOf: (name: string) => number | undefined): Iterable<Int32Array> {
    const zones = this.zones(zoneOf);
    const [ready, rest]: [number[], number[]] = [[], []];
    for (const at of this.rows.get(port) ?? []) (this.isPlaced(at, zones) ? ready : rest).push(at);
    if (rest.length > 0) this.rows.set(port, rest);
    else this.rows.delete(port);
    for (let from = 0; from < ready.length; from += CHUNK)
      yield this.chunk(ready.slice(from, from + CHUNK), id, zones);
  }

  private enlist(port: string | undefined, at: number): void {
    if (port === undefined) return;
    const known = this.rows.get(port);
    if (known) known.push(at);
    else this.rows.set(port, [at]);
  }

  /** From the number that a zone had to that which it has. */
  private zones(zoneOf: (name: string) => number | undefined): ReadonlyMap<number, number> {
    return new Map(
      Object.entries(this.file.head.zones).flatMap(([number, name]) => {
        const zone = zoneOf(name);
        return zone === undefined ? [] : [[Number(number), zone]];
      }),
    );
  }

  private isPlaced(at: number, zones: ReadonlyMap<number, number>): boolean {
    return [0, 1].every((way) => zones.has(this.file.rows[at + subjectAt(way)] >>> ZONE_SHIFT));
  }

  private chunk(starts: readonly number[], id: number, zones: ReadonlyMap<number, number>): Int32Array {
    const { rows } = this.file;
    const words = new Int32Array(starts.reduce((sum, at) => sum + rowLength(rows, at), 0));
    let to = 0;
    for (const at of starts) {
      const length = rowLength(rows, at);
      words.set(rows.subarray(at, at + length), to);
      words[to + ROW.PORT] = id;
      for (const way of [0, 1]) {
        const subject = words[to + subjectAt(way)];
        words[to + subjectAt(way)] =
          (zones.get(subject >>> ZONE_SHIFT)! << ZONE_SHIFT) | (subject & BELOW_ZONE);
      }
      to += length;
    }
    return words;
  }
}
