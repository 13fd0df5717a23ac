/**
 * A name that can be a pod's, made from one that cannot: what of it may stay, then eight digits of its SHA-256, so that the
 * same text is always the same name and two texts are two names. The CNI plugin does the same (src/cni/pod-name.ts); it
 * imports nothing from here, for the time that its start takes.
 */
import { createHash } from 'node:crypto';

const LONGEST_LABEL = 63;
const DIGITS = 8;

export function madeName(text: string): string {
  const digits = createHash('sha256').update(text).digest('hex').slice(0, DIGITS);
  const readable = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, LONGEST_LABEL - DIGITS - 1)
    .replace(/^-+|-+$/g, '');
  return readable === '' ? `pod-${digits}` : `${readable}-${digits}`;
}
