/** What translation needs to know of the node, from the snapshot's TranslationSpec. Immutable; plain typed arrays. */
import { parseIp } from '../../wire/address.js';
import type { TranslationSpec } from '../snapshot.js';

export interface TranslationData {
  /** The port that leads to the node's kernel, or -1: nothing is translated. */
  readonly nodePort: number;
  /** Signed words. */
  readonly node4: Int32Array;
  /** Four signed words each. */
  readonly node6: Int32Array;
  /** The switch's address that connections are made to come from: empty, or one word, and four. */
  readonly masquerade4: Int32Array;
  readonly masquerade6: Int32Array;
}

export const NO_TRANSLATION = -1;

export function buildTranslation(spec: TranslationSpec | undefined): TranslationData {
  const node = wordsOf(spec?.nodeAddresses ?? []);
  const masquerade = wordsOf(spec?.masquerade ?? []);
  return {
    nodePort: spec?.nodePort ?? NO_TRANSLATION,
    node4: node.v4,
    node6: node.v6,
    masquerade4: masquerade.v4,
    masquerade6: masquerade.v6,
  };
}

function wordsOf(addresses: readonly string[]): { v4: Int32Array; v6: Int32Array } {
  const parsed = addresses.map(parseIp);
  const words = (family: 4 | 6) =>
    Int32Array.from(parsed.flatMap((ip) => (ip.family === family ? [...ip.words] : [])));
  return { v4: words(4), v6: words(6) };
}
