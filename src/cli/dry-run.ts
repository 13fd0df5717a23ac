/** `--dry-run` of apply and delete: asks the daemon what would be, and shows which connections would fare otherwise. */
import type { Command } from 'commander';
import type { DryRunAnswer, DryRunRequest, FlowChange, FlowEnd } from '../control/api/what-if-types.js';
import { clientFor, outputFormat, print, printJson } from './context.js';
import { usage } from './errors.js';
import { type Column, renderTable } from './output/table.js';
import { counted } from './output/units.js';
import { verdictText } from './output/verdict.js';

export interface DryRunOptions {
  readonly dryRun?: true;
  readonly observe?: string;
}

const USUAL = 3;
const MOST = 600;

export function addDryRunOptions(command: Command): Command {
  return command
    .option('--dry-run', 'change nothing: print which connections would get another verdict')
    .option(
      '--observe <SECONDS>',
      `with --dry-run: watch connections of all pods of the node for so long first; 0: only those known (default: ${USUAL})`,
    );
}

/** Whether it is one. Throws USAGE for options that mean nothing without it. */
export function isDryRun({ dryRun, observe }: DryRunOptions): boolean {
  if (dryRun === true) return true;
  if (observe !== undefined) throw usage('--observe: only with --dry-run');
  return false;
}

export async function runDry(
  command: Command,
  options: DryRunOptions,
  request: DryRunRequest,
): Promise<void> {
  const format = outputFormat(command, ['table', 'json']);
  const observe = secondsOf(options.observe);
  const client = clientFor(command);
  const { body } = await client.send<DryRunAnswer>(
    'POST',
    '/v1/dry-run',
    { ...request, observe },
    observe * 1000,
  );
  if (format === 'json') printJson(body);
  else print(renderDryRun(body, observe));
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return USUAL;
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (seconds <= MOST) return seconds;
  throw usage(`--observe: '${text}' is not a number of seconds from 0 to ${MOST}`);
}

const COLUMNS: readonly Column<FlowChange>[] = [
  { header: 'FLOW', value: ({ from, to }) => `${endText(from)} → ${endText(to)}` },
  { header: 'PROTO', value: ({ protocol }) => protocol },
  { header: 'PORT', value: ({ port }) => port },
  { header: 'COUNT', value: ({ flows }) => flows },
  { header: 'NOW', value: ({ now }) => verdictText(now) },
  { header: 'THEN', value: ({ after }) => verdictText(after) },
];

export function renderDryRun(answer: DryRunAnswer, observed: number): string {
  const documents = answer.documents.map(({ kind, namespace, name, outcome }) => {
    const place = [kind.toLowerCase(), namespace, name].filter((part) => part !== undefined).join('/');
    return `${place} ${outcome} (dry run)\n`;
  });
  const table = answer.changes.length === 0 ? [] : ['\n', renderTable(answer.changes, COLUMNS)];
  return [...documents, ...table, '\n', summaryText(answer, observed)].join('');
}

function endText({ pod, address }: FlowEnd): string {
  return pod ?? address;
}

function summaryText(
  { node, flows, refused, allowed, ended, documents, truncated }: DryRunAnswer,
  observed: number,
) {
  const lines = [
    `${counted(flows, 'connection')} looked at: ${refused} would be refused, ${allowed} would be allowed.`,
    ...(ended > 0 ? [`${counted(ended, 'connection')} would end: the pod is deleted.`] : []),
    ...(truncated ? ['There are more kinds of connections than are listed.'] : []),
    ...(documents.some(({ concerns }) => concerns)
      ? []
      : ['Verdicts of network policies do not depend on any of these resources.']),
    `These are connections of pods on node ${node}, ${observedText(observed)}; other nodes know their own.`,
  ];
  return `${lines.join('\n')}\n`;
}

function observedText(seconds: number): string {
  return seconds === 0
    ? 'as far as they are known: those of pods that no policy selects are not'
    : `known or seen within ${seconds} s`;
}
