import { describe, expect, it } from 'vitest';
import type { Figure } from '../../../bench/figure.js';
import { judge, TARGETS, type Target } from '../../../bench/targets.js';
import { targetJson, targetsTable } from '../../../bench/targets-table.js';
import { alone, compared } from './report-example.js';

const RATIO: Target = {
  line: 'frames',
  scenario: 'node.pps',
  metric: 'frames',
  baseline: 'other',
  bound: 'at least',
  wanted: 2,
  left: 'the kernel copies',
};

function frames(own: number, other: number | null): Figure[] {
  return compared('node.pps', ['frames', 'kpps'], [own, own - 10, own + 20], { other, third: 1 });
}

describe('a ratio', () => {
  it('is met at the wanted value and above', () => {
    expect(judge(RATIO, frames(200, 100))).toMatchObject({ measured: 2, met: true, text: 'met' });
    expect(judge(RATIO, frames(300, 100))).toMatchObject({ measured: 3, met: true });
  });

  it('is short by the part of the target that is missing', () => {
    expect(judge(RATIO, frames(184, 100))).toMatchObject({
      measured: 1.84,
      met: false,
      text: 'short by 8 %',
    });
    expect(judge(RATIO, frames(199, 100)).text).toBe('short by 0.5 %');
    expect(judge(RATIO, frames(199.999, 100))).toMatchObject({
      met: false,
      text: 'short by less than 0.1 %',
    });
  });

  it('has the spread that the extremes of both sides allow', () => {
    const [least, most] = judge(RATIO, frames(200, 100)).spread ?? [];
    expect(least).toBeCloseTo(190 / 105);
    expect(most).toBeCloseTo(220 / 90);
  });

  it('takes the median for the spread of a baseline that has none', () => {
    const figures = frames(200, 100).map((figure) => ({ ...figure, baselineSpread: undefined }));
    expect(judge(RATIO, figures).spread).toEqual([1.9, 2.2]);
  });

  it('where less is better is met at the wanted value and below', () => {
    const rtt: Target = { ...RATIO, bound: 'at most', wanted: 1 };
    expect(judge(rtt, frames(100, 100)).text).toBe('met');
    expect(judge(rtt, frames(50, 100)).met).toBe(true);
    expect(judge(rtt, frames(125, 100))).toMatchObject({ met: false, text: 'short by 25 %' });
  });
});

describe('an absolute value', () => {
  const memory: Target = {
    line: 'memory',
    scenario: 's.m',
    metric: 'rss',
    bound: 'at most',
    wanted: 300,
    unit: 'MB',
  };

  it('is compared as it is', () => {
    expect(judge(memory, [alone('s.m', 'rss', 'MB', 299)])).toMatchObject({ measured: 299, text: 'met' });
    expect(judge(memory, [alone('s.m', 'rss', 'MB', 330)]).text).toBe('short by 10 %');
    const most: Target = { ...memory, bound: 'at least' };
    expect(judge(most, [alone('s.m', 'rss', 'MB', 270)]).text).toBe('short by 10 %');
  });

  it('in another unit is none', () => {
    expect(judge(memory, [alone('s.m', 'rss', 'MiB', 280)])).toMatchObject({
      met: false,
      text: 'absent: measured in MiB, wanted in MB',
    });
  });
});

describe('an absent figure', () => {
  it('is neither met nor without a reason', () => {
    expect(judge(RATIO, [])).toMatchObject({
      measured: null,
      met: false,
      text: 'absent: not measured',
      spread: null,
    });
    expect(judge(RATIO, frames(200, null)).text).toBe('absent: other <is> not installed & "gone"');
  });

  it('of a scenario that could not run says what it needs', () => {
    const nothing = {
      ...alone('node.pps', 'frames', 'kpps', Number.NaN),
      absent: 'trafgen is not installed',
    };
    expect(judge(RATIO, [nothing])).toMatchObject({ met: false, text: 'absent: trafgen is not installed' });
  });

  it('of another scenario or metric is not taken', () => {
    const other = frames(500, 100).map((figure) => ({ ...figure, scenario: 'node.tcp' }));
    expect(judge(RATIO, other).text).toBe('absent: not measured');
  });
});

describe('the table', () => {
  const verdicts = [
    judge(RATIO, frames(184, 100)),
    judge({ ...RATIO, baseline: 'third' }, frames(184, 100)),
    judge(RATIO, []),
  ];

  it('has measured, wanted and verdict in columns, and what is left for what is short only', () => {
    const lines = targetsTable(verdicts).split('\n');
    expect(lines[0]).toMatch(/^TARGET +BESIDE +MEASURED +WANTED +MIN–MAX +VERDICT$/);
    expect(lines[1]).toMatch(/^frames +other +1\.84 × +at least 2 × +1\.66–2\.27 +short by 8 %$/);
    expect(lines[2]).toMatch(/ met$/);
    expect(lines[3]).toMatch(/ - +at least 2 × +- +absent: not measured$/);
    expect(lines.filter((line) => line.includes('the kernel copies'))).toHaveLength(1);
    expect(lines.at(-1)).toBe('1 met, 1 short, 1 absent');
  });

  it('as JSON has target, wanted, measured and met', () => {
    expect(JSON.parse(targetJson(verdicts[0]))).toMatchObject({
      target: 'frames',
      wanted: 2,
      measured: 1.84,
      met: false,
    });
    expect(JSON.parse(targetJson(verdicts[2]))).toMatchObject({
      measured: null,
      met: false,
      verdict: 'absent: not measured',
    });
  });
});

it('every target is a line of its own', () => {
  const keys = TARGETS.map(({ scenario, metric, baseline }) => `${scenario} ${metric} ${baseline}`);
  expect(new Set(keys).size).toBe(TARGETS.length);
  expect(TARGETS.filter(({ baseline, unit }) => baseline === undefined && unit === undefined)).toEqual([]);
});
