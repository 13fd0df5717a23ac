/**
 * Prefixes as numbers, kept from one snapshot to the next: most prefixes of a snapshot are in several of its route
 * tables and were in the snapshot before, and to parse them again was half of the time that a compile took. Control
 * path only.
 *
 * Bounded: once MOST are kept, all of them are forgotten. About 200 bytes each.
 */
import { type Cidr, parseCidr } from '../../wire/address.js';

const MOST = 262_144;

export class PrefixCache {
  private readonly parsed = new Map<string, Cidr>();

  /** The words are shared: nobody may write to them. @throws AddressError */
  parse(text: string): Cidr {
    const known = this.parsed.get(text);
    if (known !== undefined) return known;
    if (this.parsed.size >= MOST) this.parsed.clear();
    const parsed = parseCidr(text);
    this.parsed.set(text, parsed);
    return parsed;
  }
}
