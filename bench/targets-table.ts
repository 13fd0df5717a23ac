/** What `--targets` prints: the table, what is left for each line that is short, and the lines of JSON. */
import { pad, renderTable } from '../src/cli/output/table.js';
import { number } from './table.js';
import type { Target, Verdict } from './targets.js';

export function targetsTable(verdicts: readonly Verdict[]): string {
  const table = renderTable(verdicts, [
    { header: 'TARGET', value: ({ target }) => target.line },
    { header: 'BESIDE', value: ({ target }) => target.baseline },
    { header: 'MEASURED', value: ({ target, measured }) => amount(target, measured), right: true },
    {
      header: 'WANTED',
      value: ({ target }) => `${target.bound} ${amount(target, target.wanted)}`,
      right: true,
    },
    { header: 'MIN–MAX', value: ({ spread }) => between(spread) },
    { header: 'VERDICT', value: ({ text }) => text },
  ]);
  return [table, whatIsLeft(verdicts), summary(verdicts)].filter((part) => part !== '').join('\n');
}

/** One round has no spread. */
function between(spread: Verdict['spread']): string | null {
  return spread === null || spread[0] === spread[1] ? null : spread.map(number).join('–');
}

/** A ratio bare, an absolute value with its unit. */
function amount(target: Target, value: number | null): string | null {
  if (value === null) return null;
  return target.baseline === undefined ? `${number(value)} ${target.unit}` : `${number(value)} ×`;
}

function whatIsLeft(verdicts: readonly Verdict[]): string {
  const short = verdicts.filter(
    ({ measured, met, target }) => measured !== null && !met && target.left !== undefined,
  );
  if (short.length === 0) return '';
  const names = short.map(({ target }) => `${target.line}, beside ${target.baseline}:`);
  const width = Math.max(...names.map((name) => name.length));
  const lines = short.map(({ target }, at) => `  ${pad(names[at], width)}  ${target.left}\n`);
  return `What is left:\n${lines.join('')}`;
}

function summary(verdicts: readonly Verdict[]): string {
  const met = verdicts.filter((verdict) => verdict.met).length;
  const absent = verdicts.filter(({ measured }) => measured === null).length;
  return `${met} met, ${verdicts.length - met - absent} short, ${absent} absent`;
}

/** One line of JSON. `measured` is null where `verdict` says `absent`; `met` is false then. */
export function targetJson({ target, measured, met, text, spread }: Verdict): string {
  const { line, scenario, metric, baseline, bound, wanted, unit } = target;
  const what = { target: line, scenario, metric, baseline: baseline ?? null, unit: unit ?? 'ratio' };
  return JSON.stringify({ ...what, bound, wanted, measured, met, verdict: text, spread });
}
