/** The program `nft` of nftables: the one place that runs it, and what its listing of podwire's table says. */
import { PodwireError } from '../errors.js';
import { ELEMENT_SETS, type ElementSetName } from './nft-elements.js';
import { isMissing, type Outcome, runProgram } from './program.js';

export const TABLE = ['table', 'inet', 'podwire'] as const;

/** Runs commands as one transaction. @throws PodwireError NFT_MISSING, or NFT_FAILED with nft's words */
export async function runNft(commands: string): Promise<void> {
  const { status, errors } = await run(['-f', '-'], commands);
  if (status !== 0) throw failed(errors);
}

/** What the kernel has of podwire's table. */
export interface Listing {
  /** In a form that is the same as long as nobody changes it. */
  readonly rules: string;
  /** Of the sets that change, as ElementSet has them. */
  readonly elements: Readonly<Record<ElementSetName, readonly string[]>>;
}

/** undefined: no such table. @throws as `runNft` */
export async function listTable(): Promise<Listing | undefined> {
  const { status, output, errors } = await run(['-j', 'list', ...TABLE], '');
  if (status === 0) return readListing(output);
  if (/No such file or directory/.test(errors)) return undefined;
  throw failed(errors);
}

interface Item {
  readonly set?: NamedSet;
  readonly map?: NamedSet;
}

interface NamedSet {
  readonly name: string;
  /** Of a map: pairs of key and value. */
  readonly elem?: readonly unknown[];
}

export function readListing(listing: string): Listing {
  const items = (JSON.parse(listing) as { nftables: Item[] }).nftables.filter(
    (item) => !('metainfo' in item),
  );
  const sets = new Map(items.flatMap(({ set, map }) => set ?? map ?? []).map((one) => [one.name, one.elem]));
  const elements = ELEMENT_SETS.map((name) => [name, (sets.get(name) ?? []).map(elementText)]);
  return { rules: canonical(items), elements: Object.fromEntries(elements) };
}

/** Handles count every change of anybody's. */
function canonical(items: readonly Item[]): string {
  const fixed = items.map((item) => {
    const name = item.set?.name ?? item.map?.name;
    return ELEMENT_SETS.some((one) => one === name) ? name : item;
  });
  return JSON.stringify(fixed, (key, value: unknown) => (key === 'handle' ? undefined : value));
}

/** What is none of ours, as an element with a comment, is a text that none of ours is. */
function elementText(element: unknown): string {
  const parts: unknown[] = Array.isArray(element) ? element : [element];
  return parts.map(partText).join(' : ');
}

function partText(part: unknown): string {
  const { concat } = part as { readonly concat?: unknown };
  return Array.isArray(concat) ? concat.join(' . ') : JSON.stringify(part);
}

async function run(args: readonly string[], input: string): Promise<Outcome> {
  try {
    return await runProgram('nft', args, input);
  } catch (error) {
    const problem = isMissing(error)
      ? new PodwireError('NFT_MISSING', "there is no program 'nft' that can be run: install nftables")
      : new PodwireError('NFT_FAILED', `nft cannot be started: ${String(error)}`, undefined, error);
    throw problem;
  }
}

/** Its first words; the rest quotes what it was given. */
function failed(errors: string): PodwireError {
  const [first = ''] = errors.trim().split('\n');
  return new PodwireError('NFT_FAILED', `nft: ${first.slice(0, 300) || 'failed without a word'}`);
}
