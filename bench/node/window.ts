/**
 * What is counted while a load runs: something that the receiver counts, and the processor time of the whole machine.
 *
 *     load      |── warm-up ──|────── window ──────|
 *     counted                 before           after
 *
 * The machine's time is taken, not that of processes: a kernel's bridge works in whatever context the packet is
 * sent from, and the receiver's network stack runs in the switch's. Generator, sender and receiver are in it for
 * every subject alike.
 */
import { readFileSync } from 'node:fs';
import { sleep } from '../shell.js';

/** How long to measure, and what says that it is to end early. */
export interface Span {
  readonly seconds: number;
  readonly signal?: AbortSignal;
}

const LONGEST_WARM_UP = 2;

/** Seconds of load before anything is counted, so that no subject is measured while it warms up. */
export function warmUp({ seconds }: Span): number {
  return Math.min(LONGEST_WARM_UP, seconds);
}

/** Longer than any load takes to begin and to end. */
const MARGIN_SECONDS = 30;

/** For what could wait for ever: aborted when it is interrupted, or takes much longer than it should. */
export function bounded(span: Span): AbortSignal {
  const late = AbortSignal.timeout((warmUp(span) + span.seconds + MARGIN_SECONDS) * 1000);
  return span.signal ? AbortSignal.any([span.signal, late]) : late;
}

export interface Window {
  /** How much was counted in each second. */
  readonly rate: number;
  /** Seconds of processor time in each second, all processors together. */
  readonly processors: number;
}

/** Waits for the warm-up and the window. @param count what is counted, from any start. */
export async function watch(span: Span, count: () => number): Promise<Window> {
  await sleep(warmUp(span) * 1000, span.signal);
  const [before, busy, start] = [count(), busySeconds(), process.hrtime.bigint()];
  await sleep(span.seconds * 1000, span.signal);
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  return { rate: (count() - before) / seconds, processors: (busySeconds() - busy) / seconds };
}

/** Ticks a second in /proc (USER_HZ): the same on every architecture that Node runs on. */
const TICKS = 100;

/** Processor time that was not idle, since the machine started. What a hypervisor took away is not in it. */
function busySeconds(): number {
  const [user, nice, system, , , interrupts, softInterrupts] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]
    .replace(/^cpu\s+/, '')
    .split(' ')
    .map(Number);
  return (user + nice + system + interrupts + softInterrupts) / TICKS;
}
