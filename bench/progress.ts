/**
 * Progress on standard error: one line that is written over on a terminal, plain lines elsewhere.
 *
 *     [2/6] node.pps: round 1 of 3, openvswitch · 1:12 · about 4:30 left
 *
 * What is left is guessed from what each scenario took when its stored figures were made (docs/benchmarks/figures.json),
 * and from the first `k of n` in what the present one says. Every scenario says its steps, so this is also where one
 * that is interrupted comes to its end.
 */

const REDRAW_MS = 1000;

/** Thrown by `say` when the run is to end: scenarios clean up in `finally`, bench/session.ts catches it. */
export class Interrupted extends Error {}

export interface Expected {
  readonly name: string;
  /** As far as it is known. */
  readonly seconds?: number;
}

export class Progress {
  private readonly isTerminal = process.stderr.isTTY === true;
  private readonly began = Date.now();
  private plan: readonly Expected[] = [];
  private at = 0;
  private atBegan = Date.now();
  private text = '';
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly isQuiet: boolean,
    private readonly signal?: AbortSignal,
  ) {}

  /** What will run, in order. */
  expect(plan: readonly Expected[]): void {
    this.plan = plan;
  }

  /** The scenario `index` of the plan begins. */
  begin(index: number): void {
    this.at = index;
    this.atBegan = Date.now();
  }

  /** @throws Interrupted where the run is to end. */
  say(text: string): void {
    if (this.signal?.aborted) throw new Interrupted('interrupted');
    if (this.isQuiet) return;
    this.text = text;
    if (!this.isTerminal) process.stderr.write(`${this.line()}\n`);
    else this.draw();
  }

  /** Takes the line away, so that something else can be printed. */
  done(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    if (this.isTerminal && !this.isQuiet) process.stderr.write('\r\u001b[K');
  }

  private draw(): void {
    const width = (process.stderr.columns ?? 80) - 1;
    process.stderr.write(`\r\u001b[K${[...this.line()].slice(0, width).join('')}`);
    this.timer ??= setInterval(() => this.draw(), REDRAW_MS).unref();
  }

  private line(): string {
    const place = this.plan.length > 1 ? `[${this.at + 1}/${this.plan.length}] ` : '';
    const left = this.secondsLeft();
    const rest = left === undefined ? '' : ` · about ${clock(left)} left`;
    return `${place}${this.text} · ${clock((Date.now() - this.began) / 1000)}${rest}`;
  }

  private secondsLeft(): number | undefined {
    const elapsed = (Date.now() - this.atBegan) / 1000;
    const part = partDone(this.text);
    const now = this.plan[this.at]?.seconds ?? (part > 0 ? elapsed / part : undefined);
    const later = this.plan.slice(this.at + 1).map(({ seconds }) => seconds);
    if (now === undefined || later.includes(undefined)) return undefined;
    return later.reduce<number>((sum, seconds) => sum + (seconds ?? 0), Math.max(0, now - elapsed));
  }
}

/** Of `round 2 of 3` a third is done. */
export function partDone(text: string): number {
  const [, k, n] = /(\d+) of (\d+)/.exec(text) ?? [];
  return k === undefined ? 0 : (Number(k) - 1) / Number(n);
}

/** Minutes and seconds. */
export function clock(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
