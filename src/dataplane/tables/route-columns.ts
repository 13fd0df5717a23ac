/**
 * Routes of one family as columns, so that the hundred thousand routes of a large cluster are no objects: what FIBs
 * are built from. Control path only.
 *
 * `ParsedPrefixes` remembers what a list of prefixes is in numbers for as long as somebody has that list: a peer's
 * prefixes are the same list from one snapshot to the next, in several route tables of each, and to parse them
 * was most of a compile. A list that is in a snapshot is never written to. 6 bytes a prefix for IPv4, 18 for IPv6.
 */
import { parseCidr } from '../../wire/address.js';

/** Prefixes of one family: for each, its words, the most significant first, and its length. */
export interface PrefixColumns {
  readonly count: number;
  readonly words: readonly Uint32Array[];
  readonly lengths: Uint8Array;
}

export class RouteColumns implements PrefixColumns {
  count = 0;
  words: Uint32Array[];
  lengths = new Uint8Array(0);
  tables = new Uint16Array(0);
  nexthops = new Int32Array(0);

  /** `words`: of an address; 1 for IPv4, 4 for IPv6. `room`: for so many routes at first. */
  constructor(words: number, room = 64) {
    this.words = Array.from({ length: words }, () => new Uint32Array(0));
    this.resize(room);
  }

  add(words: ArrayLike<number>, length: number, table: number, nexthop: number): void {
    const at = this.grow(1);
    this.words.forEach((column, index) => {
      column[at] = words[index];
    });
    this.lengths[at] = length;
    this.tables[at] = table;
    this.nexthops[at] = nexthop;
  }

  /** Each of the prefixes, in one table and to one next hop. */
  addAll(prefixes: PrefixColumns, table: number, nexthop: number): void {
    const at = this.grow(prefixes.count);
    for (const [index, column] of this.words.entries()) column.set(prefixes.words[index], at);
    this.lengths.set(prefixes.lengths, at);
    this.tables.fill(table, at, this.count);
    this.nexthops.fill(nexthop, at, this.count);
  }

  /** Whether these are the same routes in the same order. */
  equals(other: RouteColumns): boolean {
    if (this.count !== other.count) return false;
    const columns = this.columns();
    return other.columns().every((column, index) => {
      const own = columns[index];
      for (let i = 0; i < this.count; i++) if (own[i] !== column[i]) return false;
      return true;
    });
  }

  private columns(): (Uint8Array | Uint16Array | Int32Array | Uint32Array)[] {
    return [...this.words, this.nexthops, this.tables, this.lengths];
  }

  /** Makes room for so many more and counts them. Returns where they begin. */
  private grow(more: number): number {
    const at = this.count;
    this.count += more;
    if (this.count > this.lengths.length) this.resize(Math.max(this.count, 2 * this.lengths.length));
    return at;
  }

  private resize(room: number): void {
    this.words = this.words.map((column) => moved(column, new Uint32Array(room)));
    this.lengths = moved(this.lengths, new Uint8Array(room));
    this.tables = moved(this.tables, new Uint16Array(room));
    this.nexthops = moved(this.nexthops, new Int32Array(room));
  }
}

function moved<Column extends { set(from: Column): void }>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}

export interface ParsedPrefixes {
  readonly v4: PrefixColumns;
  readonly v6: PrefixColumns;
}

const parsed = new WeakMap<readonly string[], ParsedPrefixes>();

/** @throws AddressError */
export function parsePrefixes(texts: readonly string[]): ParsedPrefixes {
  const known = parsed.get(texts);
  if (known !== undefined) return known;
  const all = texts.map(parseCidr);
  const columnsOf = (family: 4 | 6): PrefixColumns => {
    const members = all.filter((cidr) => cidr.family === family);
    const words = Array.from({ length: family === 4 ? 1 : 4 }, (_, index) =>
      Uint32Array.from(members, (cidr) => cidr.words[index]),
    );
    return { count: members.length, words, lengths: Uint8Array.from(members, ({ prefix }) => prefix) };
  };
  const made = { v4: columnsOf(4), v6: columnsOf(6) };
  parsed.set(texts, made);
  return made;
}
