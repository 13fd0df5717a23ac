import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { progressBar } from '../../../../src/cli/demo/checks/transfer.js';
import { percentile } from '../../../../src/cli/demo/figures.js';
import { LineView, TerminalView } from '../../../../src/cli/demo/view.js';

/** A stream that keeps what is written, as a pipe or as a terminal of some width. */
function stream(columns?: number) {
  const sink = new PassThrough();
  let text = '';
  sink.on('data', (data: Buffer) => {
    text += data.toString('utf8');
  });
  const out = Object.assign(sink, columns === undefined ? {} : { isTTY: true, columns });
  return { out: out as unknown as NodeJS.WriteStream, read: () => text };
}

describe('in a pipe', () => {
  it('writes a plain line for each check that is over, and nothing else', () => {
    const { out, read } = stream();
    const view = new LineView(out);
    view.begin('title', ['short', 'a longer name']);
    view.running('short');
    view.progress('50 %');
    view.done({ name: 'short', ok: true, detail: 'fine', millis: 1.5 });
    view.done({ name: 'a longer name', ok: false, detail: 'not fine', millis: 1200 });
    view.end();
    expect(read()).toBe(
      'title\n\n' +
        '    CHECK               TIME   RESULT\n' +
        '  ✓ short            1.50 ms   fine\n' +
        '  ✗ a longer name     1.20 s   not fine\n',
    );
  });
});

describe('on a terminal', () => {
  it('draws one live line, never wider than the terminal, and takes it away', () => {
    const { out, read } = stream(40);
    const view = new TerminalView(out);
    view.begin('t', ['check']);
    view.running('check');
    view.progress('x'.repeat(100));
    view.end();
    const drawn = read().split('\r\x1b[2K');
    for (const line of drawn.slice(1)) expect([...line.replace('\x1b[?25h', '')].length).toBeLessThan(40);
    expect(drawn.at(-1)).toBe('\x1b[?25h');
    expect(read()).toContain('1/1');
  });

  it('breaks a long result below its column', () => {
    const { out, read } = stream(60);
    const view = new TerminalView(out);
    view.begin('t', ['check']);
    view.done({
      name: 'check',
      ok: true,
      detail: 'some words that do not all fit into one line of it',
      millis: 1,
    });
    view.end();
    const lines = read().split('\n');
    const at = lines.findIndex((line) => line.includes('some words'));
    expect(lines[at + 1]).toMatch(/^ {23}\S/);
  });
});

it('draws a bar of constant width', () => {
  expect(progressBar(0, 4)).toBe('░░░░   0 %');
  expect(progressBar(0.5, 4)).toBe('██░░  50 %');
  expect(progressBar(1, 4)).toBe('████ 100 %');
});

it('takes percentiles by nearest rank, whatever the order', () => {
  const values = [30, 10, 50, 20, 40];
  expect([percentile(values, 0.5), percentile(values, 0.99), percentile(values, 0.01)]).toEqual([30, 50, 10]);
  expect(percentile([], 0.5)).toBeNaN();
  expect(values).toEqual([30, 10, 50, 20, 40]);
});
