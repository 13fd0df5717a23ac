/**
 * Which identity is at an address: of pods of other nodes, and of nodes. A key is (zone, address); zones are address spaces that
 * have nothing to do with one another.
 *
 * Keyed, and changed by control alone (tables/word-index.ts). Memory: 64 to 128 bytes an address.
 */
import { AddressError, parseIp } from '../../wire/address.js';
import { IDENTITY_UNKNOWN, type PolicyAddressSpec } from '../policy-spec.js';
import { KeyedHash } from '../tables/hash.js';
import { requireInteger, TABLE_ERROR, TableError } from '../tables/table-error.js';
import { KEY_WORDS, WordIndex } from '../tables/word-index.js';
import { MOST_MEMBERS } from './ruleset-words.js';

/** Of the networks that are routed. */
export const ROUTED_ZONE = 0;

const MOST_DOMAIN = 0xffff;

/** An address, and who is to be there. */
export interface AddressChange {
  /** KEY_WORDS. */
  readonly key: Int32Array;
  readonly identity: number;
}

export class KnownAddresses {
  private readonly index: WordIndex;

  /** @param seed secret in operation: see tables/hash.ts. */
  constructor(seed: number) {
    this.index = new WordIndex(new KeyedHash(seed));
  }

  get size(): number {
    return this.index.size;
  }

  /** The identity, or IDENTITY_UNKNOWN. */
  find4(zone: number, address: number): number {
    return this.index.find(0, 0, 0, address | 0, zone << 1) + 1;
  }

  find6(zone: number, w0: number, w1: number, w2: number, w3: number): number {
    return this.index.find(w0 | 0, w1 | 0, w2 | 0, w3 | 0, (zone << 1) | 1) + 1;
  }

  apply({ key, identity }: AddressChange): void {
    // The index has numbers from 0, and -1 for what is not there.
    if (identity !== IDENTITY_UNKNOWN) this.index.set(key, 0, identity - 1);
    else if (this.index.get(key, 0) >= 0) this.index.delete(key, 0);
  }
}

/** @throws TableError naming the address */
export function readAddress({ address, domain, identity }: PolicyAddressSpec): AddressChange {
  requireInteger(`identity of ${address}`, identity, IDENTITY_UNKNOWN, MOST_MEMBERS - 1);
  if (domain !== undefined) requireInteger(`domain of ${address}`, domain, 0, MOST_DOMAIN);
  const zone = domain === undefined ? ROUTED_ZONE : 1 + domain;
  const words = wordsOf(address);
  const key = new Int32Array(KEY_WORDS);
  key.set(words, KEY_WORDS - 1 - words.length);
  key[KEY_WORDS - 1] = (zone << 1) | (words.length === 1 ? 0 : 1);
  return { key, identity };
}

function wordsOf(address: string): Uint32Array {
  try {
    return parseIp(address).words;
  } catch (error) {
    if (error instanceof AddressError) throw new TableError(TABLE_ERROR.invalid, `address ${error.message}`);
    throw error;
  }
}
