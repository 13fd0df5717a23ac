/** ICMP echo through the package raw-socket over a real path with a narrow place (path-mtu-support.ts). */
import { describe, expect, it } from 'vitest';
import { IcmpEcho, loadRawSocket } from '../../src/control/host/icmp-echo.js';
import { withNamespace } from '../../src/linux/netns.js';
import { isRoot } from './linux-support.js';
import { B, narrowPath } from './path-mtu-support.js';

const raw = await loadRawSocket();
if (typeof raw === 'string') console.log(`skipped: ${raw}`);

describe.skipIf(!isRoot || typeof raw === 'string')('IcmpEcho [needs root, raw-socket]', () => {
  const echoIn = (namespace: string) =>
    new IcmpEcho(raw as Exclude<typeof raw, string>, (make) => withNamespace(namespace, make));

  it.each([4, 6] as const)(
    'IPv%i: answers come for what fits the path, none for what does not',
    async (family) => {
      const { a } = await narrowPath(1400);
      const echo = echoIn(a);
      const small = await echo.echo(B[family], 100, 10_000);
      expect(small).toBeGreaterThan(1);
      expect(small).toBeLessThan(10_000_000);
      expect(await echo.echo(B[family], 1400, 10_000)).toBeGreaterThan(1);
      expect(await echo.echo(B[family], 1401, 300)).toBeUndefined();
      // The kernel has been told 1400 by now. What is asked is the path, not the kernel.
      expect(await echo.echo(B[family], 1500, 300)).toBeUndefined();
    },
  );

  it('does not send what the interface cannot', async () => {
    const { a } = await narrowPath();
    const begun = performance.now();
    expect(await echoIn(a).echo(B[4], 1501, 50_000)).toBeUndefined();
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  it('waits for several answers at once, each its own', async () => {
    const { a } = await narrowPath();
    const echo = echoIn(a);
    const answers = await Promise.all([
      ...Array.from({ length: 20 }, (_, index) => echo.echo(B[4], 100 + index, 1000)),
      echo.echo(B[6], 200, 1000),
      echo.echo('10.77.2.77', 200, 100),
    ]);
    expect(answers.slice(0, 21).every((micros) => micros !== undefined)).toBe(true);
    expect(answers[21]).toBeUndefined();
  });

  it('gives up at once when it is closed, and can be used again', async () => {
    const { a } = await narrowPath();
    const echo = echoIn(a);
    const lost = echo.echo('10.77.2.77', 100, 60_000);
    echo.close();
    expect(await lost).toBeUndefined();
    expect(await echo.echo(B[4], 100, 1000)).toBeGreaterThan(1);
  });
});
