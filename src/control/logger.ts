/**
 * The daemon's log: one line an event on standard error, JSON unless a person is watching. Never a line for a
 * packet. Fields: `level`, `time` (ISO 8601), `msg`, and those that docs/api.md lists.
 */
import { writeSync } from 'node:fs';
import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/** A repeated line is written at most once in this time (ms). */
const REPEAT_AFTER = 60_000;

const STDERR = 2;

export function createLogger(options: { human?: boolean } = {}): Logger {
  const human = options.human ?? process.stderr.isTTY === true;
  return pino(
    {
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    human
      ? { write: (line) => writeLine(humanLine(line)) }
      : ({ write: writeLine } satisfies DestinationStream),
  );
}

/** A log that cannot be written must not stop the switch: a full pipe or a closed terminal is ignored. */
function writeLine(line: string): void {
  try {
    writeSync(STDERR, line);
  } catch {
    return;
  }
}

const COLOURS: Readonly<Record<string, string>> = {
  warn: '\u001b[33m',
  error: '\u001b[31m',
  fatal: '\u001b[31m',
};

/** `12:00:01 info  pod attached  pod=default/web ips=10.244.0.3` */
export function humanLine(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const details = Object.entries(fields).map(([key, value]) => `${key}=${fieldText(value)}`);
  const colour = COLOURS[String(level)] ?? '';
  const mark = `${colour}${String(level).padEnd(5)}${colour && '\u001b[0m'}`;
  return `${String(time).slice(11, 19)} ${mark} ${[msg, ...details].join('  ')}\n`;
}

function fieldText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Writes what happens again and again once a minute, with how often it happened meanwhile. */
export class RepeatedLog {
  private readonly written = new Map<string, { at: number; suppressed: number }>();

  constructor(private readonly log: Logger) {}

  /** @param key tells events apart. @param now milliseconds. */
  warn(key: string, fields: Record<string, unknown>, message: string, now = Date.now()): void {
    const last = this.written.get(key);
    if (last && now - last.at < REPEAT_AFTER) {
      last.suppressed++;
      return;
    }
    this.written.set(key, { at: now, suppressed: 0 });
    this.log.warn({ ...fields, ...(last?.suppressed && { suppressed: last.suppressed }) }, message);
  }

  /** The trouble is over: the next time is news. */
  clear(key: string): void {
    this.written.delete(key);
  }
}
