/** Round trips over an open path, alone and while a TCP stream goes the same way. */
import { quantile } from '../figure.js';
import { end, finish, sleep } from '../shell.js';
import { inside, startServer } from './measure.js';
import type { Path } from './path.js';
import { type Span, warmUp } from './window.js';

/** Echoes sent at full speed before round trips are timed. */
const WARM_UP = 10_000;

/** Echoes a second: far enough apart for the path to rest in between, and enough of them for a p99.9. */
const A_SECOND = 1000;

const QUANTILES = [0.5, 0.99, 0.999];

/** Echo round trips from a to b: median, 99th and 99.9th percentile, µs. */
export async function roundTrips(path: Path, span: Span): Promise<number[]> {
  const { a, b } = path;
  await finish(
    'ip',
    [...inside(a.namespace, 'ping'), '-q', '-f', '-c', String(WARM_UP), b.address],
    span.signal,
  );
  return timed(path, span);
}

/** The same while one TCP stream goes from a to b. */
export async function loadedRoundTrips(path: Path, span: Span): Promise<number[]> {
  const { a, b } = path;
  const server = await startServer(path);
  const over = new AbortController();
  // Much longer than it is needed: it is ended, and echoes take their time on a path that is full.
  const load = ['-c', b.address, '-t', String(warmUp(span) + 4 * span.seconds + 20)];
  const stream = finish('ip', [...inside(a.namespace, 'iperf3'), ...load], over.signal);
  // If it ends before the echoes do, they were not timed under load: an error.
  let early: unknown;
  const ended = stream.then(
    () => (early ??= new Error('the TCP stream ended before the round trips were timed')),
    (error: unknown) => (early ??= error),
  );
  try {
    await sleep(warmUp(span) * 1000, span.signal);
    const times = await timed(path, span);
    if (early) throw early;
    return times;
  } finally {
    over.abort();
    await ended;
    await end(server);
  }
}

async function timed({ a, b }: Path, { seconds, signal }: Span): Promise<number[]> {
  const count = seconds * A_SECOND;
  const echoes = ['-c', String(count), '-i', String(1 / A_SECOND), '-W', '1', b.address];
  const text = await finish('ip', [...inside(a.namespace, 'ping'), ...echoes], signal);
  const times = [...text.matchAll(/time=([\d.]+) ms/g)].map((match) => Number(match[1]) * 1000);
  if (times.length < count * 0.99) throw new Error(`only ${times.length} of ${count} echoes came back`);
  return QUANTILES.map((q) => quantile(times, q));
}
