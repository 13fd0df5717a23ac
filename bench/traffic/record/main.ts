/**
 * `npm run fixtures:captures -- [NAME…]`: makes the captures of fixtures/captures anew, all or those named, and what is
 * written from them: the README there, and the templates of the mixes. About a minute.
 */
import { mkdirSync } from 'node:fs';
import { has } from '../../shell.js';
import { CAPTURES } from '../captures.js';
import { writeReadme } from './readme.js';
import { RECIPES, TAGGINGS } from './recipes.js';
import { record, tag } from './record.js';
import { writeTemplates } from './templates.js';

const PROGRAMS = [
  'ip',
  'tc',
  'ethtool',
  'tcpdump',
  'editcap',
  'tshark',
  'iperf3',
  'curl',
  'dig',
  'dnsmasq',
  'ping',
];

function check(names: readonly string[]): void {
  if (process.getuid?.() !== 0) throw new Error('captures are made in network namespaces: run as root');
  const missing = PROGRAMS.filter((program) => !has(program));
  if (missing.length > 0) throw new Error(`not installed: ${missing.join(', ')}`);
  const known = [...RECIPES, ...TAGGINGS].map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`no capture ${unknown}; there are: ${known.join(', ')}`);
}

/** Aborted by SIGINT and SIGTERM, so that namespaces and servers do not outlive us. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

async function main(names: readonly string[]): Promise<void> {
  check(names);
  mkdirSync(CAPTURES, { recursive: true });
  const isWanted = ({ name }: { readonly name: string }): boolean =>
    names.length === 0 || names.includes(name);
  const signal = interruption();
  for (const recipe of RECIPES.filter(isWanted)) {
    console.log(recipe.name);
    await record(recipe, signal);
  }
  // What is made of another capture follows it.
  for (const tagging of TAGGINGS.filter(({ name, from }) => isWanted({ name }) || isWanted({ name: from }))) {
    console.log(tagging.name);
    await tag(tagging);
  }
  writeReadme(RECIPES, TAGGINGS);
  await writeTemplates();
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(`error: CAPTURES_FAILED: ${(error as Error).message}`);
  process.exitCode = 1;
});
