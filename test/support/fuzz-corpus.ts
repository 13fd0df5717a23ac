/** Inputs that fuzzing found: kept as JSON in test/fuzz/corpus, replayed before anything new is tried. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FuzzCase } from './fuzz-packets.js';

const CORPUS = join(import.meta.dirname, '..', 'fuzz', 'corpus');

export function corpusNames(): string[] {
  return readdirSync(CORPUS).filter((name) => name.endsWith('.json'));
}

export function readCorpus(name: string): FuzzCase {
  const text = readFileSync(join(CORPUS, name), 'utf8');
  return JSON.parse(text, (key, value) =>
    key === 'bytes' ? Uint8Array.from(Buffer.from(value as string, 'hex')) : value,
  ) as FuzzCase;
}

/** Answers the file's path. */
export function keepInCorpus(found: FuzzCase): string {
  const text = JSON.stringify(
    found,
    (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value),
    1,
  );
  const path = join(CORPUS, `${createHash('sha256').update(text).digest('hex').slice(0, 12)}.json`);
  mkdirSync(CORPUS, { recursive: true });
  writeFileSync(path, `${text}\n`);
  return path;
}
