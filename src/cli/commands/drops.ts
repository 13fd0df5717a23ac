/** `podwire drops`: what was dropped, at which port and why; of what policies refused by which rule, and the last of it. */
import { Command } from 'commander';
import type {
  DropEnd,
  DropEntry,
  DropsAnswer,
  RecentDrop,
  RecentDropsAnswer,
  RuleDrops,
} from '../../control/api/drop-types.js';
import { clientFor, type OutputFormat, outputFormat, print, printListing } from '../context.js';
import { usage } from '../errors.js';
import { type Column, renderTable } from '../output/table.js';

const USUAL = 20;
/** What the API answers at once. */
const MOST = 10_000;

const COLUMNS: readonly Column<DropEntry>[] = [
  { header: 'COUNT', value: (drop) => drop.count, right: true },
  { header: 'REASON', value: (drop) => drop.reason },
  { header: 'PORT', value: (drop) => drop.port },
  { header: 'MEANING', value: (drop) => drop.meaning },
];

const RULE_COLUMNS: readonly Column<RuleDrops>[] = [
  { header: 'COUNT', value: ({ count }) => count, right: true },
  { header: 'DIRECTION', value: ({ direction }) => direction },
  { header: 'RULE', value: ({ rule }) => rule },
];

const RECENT_COLUMNS: readonly Column<RecentDrop>[] = [
  { header: 'TIME', value: ({ time }) => localTime(time) },
  { header: 'FROM', value: ({ source }) => endText(source) },
  { header: 'TO', value: ({ destination }) => endText(destination) },
  { header: 'PROTO', value: ({ protocol }) => protocol ?? 'not IP' },
  { header: 'DIRECTION', value: ({ direction }) => direction },
  { header: 'RULE', value: ({ rule }) => rule },
  { header: 'SOURCE', value: ({ source }) => placeText(source), wide: true },
  { header: 'DESTINATION', value: ({ destination }) => placeText(destination), wide: true },
  { header: 'PORT', value: ({ port }) => port, wide: true },
];

interface DropsOptions {
  readonly recent?: true;
  readonly limit?: string;
}

export function dropsCommand(): Command {
  return new Command('drops')
    .description('dropped packets by reason and port; those that policies refused by rule, too')
    .option('--recent', 'the last packets that policies refused, the latest at the end')
    .option('--limit <N>', `with --recent: at most so many (default: ${USUAL})`)
    .action(async ({ recent, limit }: DropsOptions, self: Command) => {
      const format = outputFormat(self, recent ? ['table', 'json', 'wide'] : ['table', 'json']);
      if (!recent && limit !== undefined) throw usage('--limit: it goes with --recent');
      const client = clientFor(self);
      if (recent) {
        const path = `/v1/drops/recent?limit=${limitOf(limit)}`;
        printRecent(format, await client.get<RecentDropsAnswer>(path));
      } else printDrops(format, await client.get<DropsAnswer>('/v1/drops'));
    });
}

function printDrops(format: OutputFormat, answer: DropsAnswer): void {
  const { drops, rules } = answer;
  printListing(format, { answer, rows: drops, columns: COLUMNS, none: 'no drops' });
  if (format === 'table' && rules.length > 0) print(`\n${renderTable(rules, RULE_COLUMNS)}`);
}

function printRecent(format: OutputFormat, answer: RecentDropsAnswer): void {
  const rows = answer.drops.toReversed();
  printListing(format, { answer, rows, columns: RECENT_COLUMNS, none: 'policies have refused nothing' });
}

function limitOf(text: string | undefined): number {
  if (text === undefined) return USUAL;
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= MOST) return number;
  throw usage(`--limit: '${text}' is not a number from 1 to ${MOST}`);
}

/** `shop/web:8080`, as it is known here. */
function endText(end: DropEnd | null): string | undefined {
  if (!end) return undefined;
  if (end.pod === null) return placeText(end);
  return end.port === null ? end.pod : `${end.pod}:${end.port}`;
}

function placeText(end: DropEnd | null): string | undefined {
  if (!end) return undefined;
  const { address, port } = end;
  if (port === null) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `15:04:05.678`, and the day where it is not this one. */
function localTime(text: string): string {
  const time = new Date(text);
  const pad = (value: number, digits = 2) => String(value).padStart(digits, '0');
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map((part) => pad(part)).join(':');
  const day = `${time.getFullYear()}-${pad(time.getMonth() + 1)}-${pad(time.getDate())}`;
  const isToday = time.toDateString() === new Date().toDateString();
  return `${isToday ? '' : `${day} `}${clock}.${pad(time.getMilliseconds(), 3)}`;
}
