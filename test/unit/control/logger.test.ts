import { pino } from 'pino';
import { expect, it } from 'vitest';
import { humanLine, RepeatedLog } from '../../../src/control/logger.js';

it('writes lines for people', () => {
  const line = JSON.stringify({
    level: 'info',
    time: '2026-05-01T12:34:56.789Z',
    pod: 'default/web',
    ips: ['10.244.0.3'],
    msg: 'pod attached',
  });
  expect(humanLine(line)).toBe('12:34:56 info  pod attached  pod=default/web  ips=["10.244.0.3"]\n');
});

it('marks warnings and errors', () => {
  const line = JSON.stringify({ level: 'error', time: '2026-05-01T12:34:56.789Z', msg: 'no' });
  expect(humanLine(line)).toBe('12:34:56 \u001b[31merror\u001b[0m no\n');
});

it('writes what repeats once a minute, and says how often it happened meanwhile', () => {
  const lines: Record<string, unknown>[] = [];
  const log = new RepeatedLog(pino({ base: undefined }, { write: (line) => lines.push(JSON.parse(line)) }));
  for (let second = 0; second < 61; second++) log.warn('a', { pod: 'a' }, 'fails', second * 1000);
  log.warn('b', { pod: 'b' }, 'fails', 1000);
  log.clear('a');
  log.warn('a', { pod: 'a' }, 'fails', 62_000);
  expect(lines.map(({ pod, suppressed }) => [pod, suppressed])).toEqual([
    ['a', undefined],
    ['a', 59],
    ['b', undefined],
    ['a', undefined],
  ]);
});
