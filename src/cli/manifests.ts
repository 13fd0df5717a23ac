/**
 * Reads manifests: YAML with any number of documents, or JSON, from a file or standard input, with
 * Kubernetes' `kind: List` taken apart, and lists of one kind (`PodList`) as `get -o yaml` prints them. What a document
 * means is the API's business; here it only has to be an object.
 */
import { readFileSync } from 'node:fs';
import type { Document } from 'yaml';
import { yaml } from '../control/yaml.js';
import { CliError, failure } from './errors.js';

export type Manifest = Record<string, unknown>;

/** The documents of `path` (`-`: standard input), in their order. Throws FILE_UNREADABLE or INVALID. */
export async function readManifests(path: string): Promise<Manifest[]> {
  return path === '-'
    ? parseManifests(await readInput(), 'standard input')
    : parseManifests(readText(path), path);
}

/** @param source what messages call the text: a file's name */
export function parseManifests(text: string, source: string): Manifest[] {
  const manifests = yaml()
    .parseAllDocuments(text)
    .flatMap((document, at) => {
      const place = `${source}, document ${at + 1}`;
      return itemsOf(contentOf(document, place), place);
    });
  if (manifests.length === 0)
    throw invalid(source, 'holds no document; a manifest has apiVersion, kind and metadata');
  return manifests;
}

/** Throws INVALID for what is no YAML, and for aliases that blow a small file up. */
function contentOf(document: Document | Document.Parsed, place: string): unknown {
  const problem = document.errors[0]?.message;
  if (problem !== undefined) throw invalid(place, problem.split('\n')[0] ?? 'is not YAML');
  try {
    return document.toJS();
  } catch (error) {
    throw invalid(place, (error as Error).message);
  }
}

function itemsOf(value: unknown, place: string): Manifest[] {
  if (value === null || value === undefined) return [];
  if (!isObject(value)) throw invalid(place, 'must be an object with apiVersion, kind and metadata');
  if (value.kind !== 'List' && !isListOfKind(value)) return [value];
  if (!Array.isArray(value.items)) throw invalid(place, 'items: a List needs an array of objects');
  return value.items.flatMap((item, at) => itemsOf(item, `${place}, items[${at}]`));
}

function isListOfKind({ kind, items }: Manifest): boolean {
  return typeof kind === 'string' && kind.endsWith('List') && Array.isArray(items);
}

function isObject(value: unknown): value is Manifest {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw failure('FILE_UNREADABLE', `${path}: ${(error as Error).message}`);
  }
}

/** Not readFileSync(0), which fails with EAGAIN where standard input is not blocking. */
async function readInput(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}

function invalid(place: string, problem: string): CliError {
  return new CliError('INVALID', `${place}: ${problem}`);
}
