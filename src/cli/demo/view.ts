/**
 * What one sees while the demo runs: a table that grows by a line for each check. On a terminal the check
 * that is running has a live line below the table, with its progress; elsewhere a line appears when its
 * check is over. Only the last line is ever drawn again, so it works in a terminal of any height.
 *
 *       CHECK                TIME   RESULT
 *     ✓ switch starts      412 ms   io_uring, podwire0 10.244.0.2 fd00:10:244::2
 *     ⠹ TCP 64 MiB, IPv4    23/30   ████████████░░░░░░░░░░░░  51 %
 */
import { type Palette, paletteFor } from '../output/style.js';
import { pad, truncate } from '../output/table.js';
import { formatMicros } from '../output/units.js';
import { wrap } from '../output/wrap.js';
import type { CheckResult } from './check.js';

export interface View {
  /** The table begins; `names` are those of all checks to come. */
  begin(title: string, names: readonly string[]): void;
  running(name: string): void;
  progress(text: string): void;
  /** Not for checks that were not run. */
  done(result: CheckResult): void;
  /** The table is over, also where checks are missing. */
  end(): void;
}

/** For `--json`: nobody looks. */
export const SILENT_VIEW: View = {
  begin: () => undefined,
  running: () => undefined,
  progress: () => undefined,
  done: () => undefined,
  end: () => undefined,
};

const TIME_WIDTH = 8;
const NARROWEST_RESULT = 24;
const SPINNER = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const FRAME_MS = 80;
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_LINE = '\r\x1b[2K';

type Stream = NodeJS.WriteStream;

/** A table as plain lines, for pipes and files; the live one below adds to it. */
export class LineView implements View {
  protected readonly palette: Palette;
  protected nameWidth = 0;

  constructor(protected readonly stream: Stream) {
    this.palette = paletteFor(stream);
  }

  begin(title: string, names: readonly string[]): void {
    this.nameWidth = Math.max(...names.map((name) => name.length));
    const header = `    ${pad('CHECK', this.nameWidth)}   ${pad('TIME', TIME_WIDTH, true)}   RESULT`;
    this.stream.write(`${this.palette.bold(title)}\n\n${this.palette.dim(header)}\n`);
  }

  running(_name: string): void {}

  progress(_text: string): void {}

  done({ name, ok, detail, millis }: CheckResult): void {
    const { good, bad, dim } = this.palette;
    const mark = ok ? good('✓') : bad('✗');
    const time = dim(pad(formatMicros((millis ?? 0) * 1000), TIME_WIDTH, true));
    const [first = '', ...rest] = this.lines(detail);
    const colour = ok ? (text: string) => text : bad;
    this.stream.write(`  ${mark} ${pad(name, this.nameWidth)}   ${time}   ${colour(first)}\n`);
    for (const line of rest) this.stream.write(`${' '.repeat(this.indent)}${colour(line)}\n`);
  }

  end(): void {}

  /** Columns before RESULT. */
  protected get indent(): number {
    return 4 + this.nameWidth + 3 + TIME_WIDTH + 3;
  }

  protected lines(detail: string): string[] {
    return [detail];
  }
}

/** The same with a live line. */
export class TerminalView extends LineView {
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;
  #name = '';
  #text = '';
  #number = 0;
  #total = 0;

  override begin(title: string, names: readonly string[]): void {
    super.begin(title, names);
    this.#total = names.length;
    this.stream.write(HIDE_CURSOR);
    this.#timer = setInterval(() => this.#draw(), FRAME_MS);
  }

  override running(name: string): void {
    this.#name = name;
    this.#text = '';
    this.#number++;
    this.#draw();
  }

  override progress(text: string): void {
    this.#text = text;
    this.#draw();
  }

  override done(result: CheckResult): void {
    this.stream.write(CLEAR_LINE);
    super.done(result);
  }

  override end(): void {
    clearInterval(this.#timer);
    this.stream.write(`${CLEAR_LINE}${SHOW_CURSOR}`);
  }

  protected override lines(detail: string): string[] {
    return wrap(detail, Math.max(NARROWEST_RESULT, this.stream.columns - this.indent));
  }

  #draw(): void {
    const spinner = SPINNER[this.#frame++ % SPINNER.length];
    const name = pad(this.#name, this.nameWidth);
    const count = `${this.#number}/${this.#total}`;
    const line = `  ${spinner} ${name}   ${pad(count, TIME_WIDTH, true)}   ${this.#text}`;
    this.stream.write(`${CLEAR_LINE}${truncate(line, this.stream.columns - 1)}`);
  }
}

export function viewFor(stream: Stream): View {
  return stream.isTTY && process.env.TERM !== 'dumb' ? new TerminalView(stream) : new LineView(stream);
}
