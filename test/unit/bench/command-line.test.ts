/** The command line and the session, with scenarios that need neither root nor time. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { commandLine } from '../../../bench/command-line.js';
import type { Figure } from '../../../bench/figure.js';
import { listenForSignals } from '../../../bench/interrupt.js';
import { narrow, select } from '../../../bench/options.js';
import { clock, Interrupted, Progress, partDone } from '../../../bench/progress.js';
import type { Runnable } from '../../../bench/runnable.js';
import { runSession } from '../../../bench/session.js';
import { table } from '../../../bench/table.js';
import { alone, compared } from './report-example.js';

afterEach(() => {
  vi.restoreAllMocks();
});

async function failing(...words: string[]): Promise<{ status: number; error: string }> {
  const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  const status = await commandLine(words);
  return { status, error: said.mock.calls.flat().join('\n') };
}

describe('a wrong command line ends with 2 and says why', () => {
  it.each([
    [['nope'], /^error: USAGE: no scenario nope; there are: node\.tcp, /],
    [['node.tc'], /^error: USAGE: no scenario node\.tc; /],
    [
      ['--rounds', '0'],
      /^error: USAGE: .*--rounds.* a whole number from 1 to 1000 is needed; see npm run bench -- --help$/,
    ],
    [['--what'], /^error: USAGE: unknown option '--what'/],
    [['--io', 'dpdk'], /^error: USAGE: .*Allowed choices are auto, uring, poll/],
    [['--strict'], /^error: USAGE: --strict goes with --targets$/],
    [['--from-stored'], /^error: USAGE: --from-stored goes with --report$/],
    [['--report', '--targets'], /^error: USAGE: .*--report.* cannot be used with .*--targets/],
    [['--report', '--baseline', 'x'], /^error: USAGE: .*--report.* cannot be used with .*--baseline/],
    [['--targets', '--baseline', 'x'], /^error: USAGE: .*--targets.* cannot be used with .*--baseline/],
    [['--targets', '--guard'], /^error: USAGE: --guard goes with neither/],
    [
      ['--baseline', 'nope', 'node.tcp'],
      /^error: USAGE: no baseline nope of these scenarios; there are: linux-/,
    ],
    [
      ['--baseline', 'linux-bridge', 'tunnel'],
      /^error: USAGE: no baseline linux-bridge .*: kernel-vxlan-bridge/,
    ],
    [['--baseline', 'linux-bridge', 'engine'], /^error: USAGE: no baseline .*; they have none to choose$/],
    [['--guard', 'node.tcp'], /^error: USAGE: --guard holds costs of engine\.\*; node\.tcp has none$/],
    [
      ['--guard-write', 'engine', 'node'],
      /^error: USAGE: --guard holds costs of engine\.\*; node\.tcp has none$/,
    ],
    [['--guard', '--baseline', 'linux-bridge'], /^error: USAGE: --guard compares with stored costs/],
    [['--targets', 'node.udp'], /^error: USAGE: there is no target of node\.udp; leave it out$/],
    [['--targets', 'node', 'engine.fdb'], /^error: USAGE: there is no target of engine\.fdb; leave it out$/],
    [['--guard', '--guard-write'], /^error: USAGE: --guard compares and --guard-write stores: one of them$/],
  ])('%j', async (words, expected) => {
    const { status, error } = await failing(...words);
    expect(status).toBe(2);
    expect(error).toMatch(expected);
  });
});

it('a part of a name selects all scenarios of it, each once, in their order', () => {
  const names = select(['tunnel', 'node.tcp', 'node']).map(({ name }) => name);
  expect(names).toEqual(
    select([])
      .map(({ name }) => name)
      .filter((name) => /^(node|tunnel)\./.test(name)),
  );
});

it('runs only scenarios that have the baseline, the target or the cost that is asked for', () => {
  const options = { rounds: 1, seconds: 1 };
  const names = (more: object, ...words: string[]) =>
    narrow(words, { ...options, ...more }).map(({ name }) => name);
  expect(names({ baseline: ['kernel-vxlan-routed'] })).toEqual(names({}, 'tunnel'));
  expect(names({ baseline: ['openvswitch', 'kernel-vxlan-bridge'] })).toEqual(names({}, 'node', 'tunnel'));
  expect(names({ targets: true }, 'node')).toEqual(['node.tcp', 'node.pps', 'node.rtt']);
  expect(names({ guard: true })).toEqual(names({}, 'engine'));
});

function scenario(name: string, run: Runnable['run']): Runnable {
  return { name, summary: '', needsRoot: false, run };
}

function session(scenarios: readonly Runnable[], controller = new AbortController()) {
  const { signal } = controller;
  const options = { rounds: 1, seconds: 1, daemonFlags: [], subjects: ['all'], signal };
  const seen: Figure[] = [];
  const plan = scenarios.map((one, at) => ({ scenario: one, subjects: at === 0 ? ['some'] : undefined }));
  return {
    seen,
    result: runSession(plan, options, new Progress(true, signal), (figure) => seen.push(figure)),
  };
}

describe('a session', () => {
  it('gives each scenario its baselines, and goes on after one that fails', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const subjects: unknown[] = [];
    const good = scenario('a.b', async (options) => {
      subjects.push(options.subjects);
      return [alone('a.b', 'x', 'y', subjects.length)];
    });
    const bad = scenario('a.c', async () => {
      throw new Error('no device');
    });
    const { seen, result } = session([good, bad, good]);
    const { complete, figures, failures } = await result;
    expect(subjects).toEqual([['some'], ['all']]);
    expect([complete.length, figures.length, failures]).toEqual([2, 2, 1]);
    expect(seen).toEqual(figures);
    expect(said.mock.calls).toEqual([['error: BENCH_FAILED: a.c: no device']]);
  });

  it('that is interrupted keeps what it has, lets the scenario clean up, and begins no other', async () => {
    const controller = new AbortController();
    const steps: string[] = [];
    const interrupted = scenario('a.c', async (_, progress) => {
      try {
        controller.abort();
        progress.say('next step');
        steps.push('went on');
        return [];
      } finally {
        steps.push('cleaned up');
      }
    });
    const first = scenario('a.b', async () => [alone('a.b', 'x', 'y', 1)]);
    const last = scenario('a.d', async () => {
      steps.push('began another');
      return [];
    });
    const { figures, failures, complete } = await session([first, interrupted, last], controller).result;
    expect(steps).toEqual(['cleaned up']);
    expect([figures.length, complete.length, failures]).toEqual([1, 1, 0]);
  });

  it('prints what an interrupted scenario still answers, but does not call it complete', async () => {
    const controller = new AbortController();
    const half = scenario('a.b', async () => {
      controller.abort();
      return [alone('a.b', 'x', 'y', 1)];
    });
    const { figures, complete } = await session([half], controller).result;
    expect([figures.length, complete.length]).toEqual([1, 0]);
  });
});

it('a signal aborts, and is heard until it is no longer listened for', () => {
  const before = process.listenerCount('SIGTERM');
  const said: string[] = [];
  let now = 5000;
  const end = vi.fn();
  const { signal, stop } = listenForSignals(
    (text) => said.push(text),
    end,
    () => now,
  );
  process.emit('SIGTERM', 'SIGTERM');
  expect(signal.aborted).toBe(true);
  expect(said.join()).toContain('SIGTERM: closing what is open');
  // The same one, passed on by npm or timeout.
  process.emit('SIGTERM', 'SIGTERM');
  expect(end).not.toHaveBeenCalled();
  now += 1000;
  process.emit('SIGINT', 'SIGINT');
  expect(end).toHaveBeenCalledTimes(1);
  expect(said).toHaveLength(1);
  stop();
  expect(process.listenerCount('SIGTERM')).toBe(before);
  expect(() => new Progress(true, signal).say('x')).toThrow(Interrupted);
});

describe('progress', () => {
  function lines(act: (progress: Progress) => void): string[] {
    const written = vi.spyOn(process.stderr, 'write').mockImplementation(() => true);
    act(new Progress(false));
    return written.mock.calls.map(([text]) => String(text));
  }

  it('says place, step, elapsed and what is left, a line each where there is no terminal', () => {
    const said = lines((progress) => {
      progress.expect([
        { name: 'a.b', seconds: 60 },
        { name: 'a.c', seconds: 30 },
      ]);
      progress.begin(0);
      progress.say('a.b: round 1 of 3, podwire');
      progress.begin(1);
      progress.say('a.c: round 1 of 3, podwire');
    });
    expect(said).toEqual([
      '[1/2] a.b: round 1 of 3, podwire · 0:00 · about 1:30 left\n',
      '[2/2] a.c: round 1 of 3, podwire · 0:00 · about 0:30 left\n',
    ]);
  });

  it('does not guess where nothing is known', () => {
    const said = lines((progress) => {
      progress.expect([{ name: 'a.b' }, { name: 'a.c', seconds: 30 }]);
      progress.say('a.b: opening');
    });
    expect(said).toEqual(['[1/2] a.b: opening · 0:00\n']);
  });

  it('knows how far a text says that it is', () => {
    expect([partDone('x: round 3 of 4, y'), partDone('x')]).toEqual([0.5, 0]);
    expect([clock(0), clock(59.6), clock(3601)]).toEqual(['0:00', '1:00', '60:01']);
  });
});

describe('the table of figures', () => {
  it('has both spreads, the ratio, and the reason of what is absent', () => {
    const figures = compared('node.rtt', ['p50', 'µs'], [75, 59, 92], { bridge: 12, ovs: null }, 'lower');
    const [head, first, second] = table(figures).split('\n');
    expect(head).toMatch(/^SCENARIO +METRIC +PODWIRE +MIN–MAX +BASELINE +VALUE +MIN–MAX +RATIO +UNIT$/);
    expect(first).toMatch(/^node\.rtt +p50 ↓ +75 +59–92 +bridge +12 +10\.8–12\.6 +6\.25 +µs$/);
    expect(second).toMatch(/ovs +absent: ovs <is> not installed & "gone" +- +- +µs$/);
  });

  it('does not call a figure absent that has nothing beside it', () => {
    expect(table([alone('a.b', 'x', 'ms', 5)])).not.toContain('absent');
    expect(table([{ ...alone('a.b', 'x', 'ms', Number.NaN), absent: 'no iperf3' }])).toContain(
      'absent: no iperf3',
    );
    expect(table([{ ...alone('a.b', 'x', 'ms', Number.NaN), absent: 'cc:\n  gone' }])).toContain(
      'absent: cc: gone',
    );
    expect(table([])).toBe('');
  });
});
