/** What a replay found, as tables, lines and JSON. */
import { protocolName } from '../../control/flows/flow-entry.js';
import { ruleText } from '../../control/policies/note-text.js';
import type { PolicyAnswer, PolicyVerdict } from '../../control/policies/types.js';
import { PASSED_OVER, type PassedOver } from '../../control/replay/captured-packet.js';
import { type Connection, type ConnectionOutcome, isChanged } from '../../control/replay/connections.js';
import type { Replay, ReplayResult } from '../../control/replay/replay.js';
import type { PacketReport, PacketVerdict } from '../../control/replay/types.js';
import { type Column, pad, renderTable } from './table.js';
import { counted } from './units.js';
import { verdictText } from './verdict.js';

interface Row {
  readonly connection: Connection;
  readonly now: PolicyAnswer;
  readonly after?: PolicyAnswer;
}

export interface ReplayView {
  /** There is a candidate: only what differs is listed. */
  readonly isCompared: boolean;
  /** Lines of packets stand before. */
  readonly explain: boolean;
}

export function renderReplay(
  replay: Replay,
  result: ReplayResult,
  { isCompared, explain }: ReplayView,
): string {
  const listed = isCompared ? result.connections.filter(isChanged) : result.connections;
  const rows = listed.map((connection) => ({ connection, ...replay.judge(connection) }));
  const table = rows.length === 0 ? '' : renderTable(rows, columns(replay, isCompared));
  return [
    ...(explain && table !== '' ? ['\n'] : []),
    table,
    table === '' && !explain ? '' : '\n',
    summary(result, isCompared),
  ].join('');
}

function columns(replay: Replay, isCompared: boolean): Column<Row>[] {
  const end = (address: string): string => replay.nameOf(address) ?? address;
  const verdict = (answer: PolicyAnswer, outcome: ConnectionOutcome) => outcomeText(outcome, answer);
  return [
    {
      header: 'FLOW',
      value: ({ connection }) => `${end(connection.source)} → ${end(connection.destination)}`,
    },
    { header: 'PROTO', value: ({ connection }) => protocolName(connection.protocol) },
    { header: 'PORT', value: ({ connection }) => portOf(connection) },
    { header: 'PACKETS', value: ({ connection }) => connection.packets },
    { header: isCompared ? 'NOW' : 'VERDICT', value: ({ connection, now }) => verdict(now, connection.now) },
    ...(isCompared
      ? [
          {
            header: 'THEN',
            value: ({ connection, after }: Row) =>
              after && connection.after ? verdict(after, connection.after) : '',
          },
        ]
      : []),
  ];
}

/** Of protocols that have ports. */
function portOf({ protocol, destinationPort }: Connection): number | undefined {
  return [6, 17, 132].includes(protocol) && destinationPort >= 0 ? destinationPort : undefined;
}

/** What the engine did; where it was policy, by which rule. */
function outcomeText(outcome: ConnectionOutcome, answer: PolicyAnswer): string {
  const { passed, dropped, verdict } = outcome;
  if (dropped.size === 0) return `allowed: ${allowedBy(answer)}`;
  const lost = [...dropped.values()].reduce((sum, count) => sum + count, 0);
  const share = passed === 0 ? '' : `${lost} of ${lost + passed} `;
  return share + fateText(verdict);
}

function allowedBy({ egress, ingress }: PolicyAnswer): string {
  return verdictText({ allowed: true, egress: kept(egress), ingress: kept(ingress) }).replace(
    /^allowed: /,
    '',
  );
}

/** A judge's refusal of packets that passed says nothing: they were answers of what was begun from the other side. */
function kept(verdict: PolicyVerdict): PolicyVerdict {
  return verdict.allowed ? verdict : { allowed: true, reason: 'open' };
}

/** `refused: ingress, no rule of NetworkPolicy shop/db`, `dropped: no-route`. */
function fateText({ fate, reason, note, to }: PacketVerdict): string {
  if (fate === 'dropped' && note) return `refused: ${note.direction}, ${ruleText(note)}`;
  if (fate === 'dropped') return `dropped: ${reason}`;
  if (fate === 'unsent') return 'not sent: it answers what was dropped';
  if (fate === 'answered') return 'for the switch itself';
  if (fate === 'waits') return 'waits for its other fragments';
  return `to ${to.join(', ')}`;
}

const SECONDS = 13;

/** `  12     0.004217  tcp 10.244.0.2:40000 > 10.244.0.3:80  default/web: to default/db`. */
export function packetLine({ number, time, packet, from, now, after }: PacketReport, begin: number): string {
  const { protocol, source, sourcePort, destination, destinationPort } = packet;
  const ends = `${place(source, sourcePort)} > ${place(destination, destinationPort)}`;
  const fate =
    after === undefined || fateText(after) === fateText(now)
      ? fateText(now)
      : `${fateText(now)} → ${fateText(after)}`;
  return `${lead(number, time - begin)}  ${protocolName(protocol)} ${ends}  ${from}: ${fate}\n`;
}

export function passedOverLine(number: number, micros: number, why: PassedOver): string {
  return `${lead(number, micros)}  not replayed: ${PASSED_OVER[why]}\n`;
}

function lead(number: number, micros: number): string {
  return `${pad(String(number), 6, true)}${pad((micros / 1e6).toFixed(6), SECONDS, true)}`;
}

function place(address: string, port: number): string {
  if (port < 0) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function summary({ packets, passedOver, cutShort, connections }: ReplayResult, isCompared: boolean): string {
  const changed = connections.filter(isChanged);
  const lines = [
    `${counted(packets, 'packet')} of ${counted(connections.length, 'connection')} replayed${isCompared ? ':' : '.'}` +
      (isCompared
        ? ` ${lessPassed(changed)} would be refused, ${morePassed(changed)} would be allowed.`
        : ''),
    ...Object.entries(passedOver).flatMap(([why, count]) =>
      count === 0 ? [] : `${counted(count, 'packet')} not replayed: ${PASSED_OVER[why as PassedOver]}.`,
    ),
    ...(cutShort > 0
      ? [`${counted(cutShort, 'packet')} captured without the end, which is taken for zeros.`]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** Connections of which fewer packets, or more, would pass. */
function lessPassed(changed: readonly Connection[]): number {
  return changed.filter(({ now, after }) => after !== undefined && after.passed < now.passed).length;
}

function morePassed(changed: readonly Connection[]): number {
  return changed.filter(({ now, after }) => after !== undefined && after.passed > now.passed).length;
}

export function replayJson(replay: Replay, { connections, ...counts }: ReplayResult) {
  return {
    ...counts,
    connections: connections.map((connection) => {
      const { protocol, now, after, source, destination, ...rest } = connection;
      const judged = replay.judge(connection);
      return {
        ...rest,
        protocol: protocolName(protocol),
        source,
        destination,
        sourcePod: replay.nameOf(source) ?? null,
        destinationPod: replay.nameOf(destination) ?? null,
        now: outcomeJson(now, judged.now),
        ...(after &&
          judged.after && { after: outcomeJson(after, judged.after), changed: isChanged(connection) }),
      };
    }),
  };
}

function outcomeJson({ passed, dropped, verdict }: ConnectionOutcome, { egress, ingress }: PolicyAnswer) {
  return {
    passed,
    dropped: Object.fromEntries(dropped),
    fate: verdict.fate,
    ...(verdict.note && { note: verdict.note }),
    egress,
    ingress,
  };
}
