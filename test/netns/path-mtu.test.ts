/**
 * PathMtu over real paths (path-mtu-support.ts): the kernel's own knowledge, and real echo where it has none.
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { PathMtu } from '../../src/control/cluster/path-mtu.js';
import { IcmpEcho, loadRawSocket } from '../../src/control/host/icmp-echo.js';
import { createLogger } from '../../src/control/logger.js';
import { withNamespace } from '../../src/linux/netns.js';
import { pathMtu } from '../../src/linux/path-mtu.js';
import { runIn } from '../support/netns-programs.js';
import { isRoot } from './linux-support.js';
import { A, B, narrowPath } from './path-mtu-support.js';

const raw = await loadRawSocket();
if (typeof raw === 'string') console.log(`skipped: ${raw}`);

/** Of 500 ms each. Tests that look for a black hole wait for the real timer. */
const IN_10_SECONDS = 20;

interface Followed {
  readonly pathMtu: PathMtu;
  readonly changes: number[];
  readonly warnings: string[];
}

function follow(namespace: string, family: 4 | 6, withEcho = true): Followed {
  const log = createLogger({ human: false });
  const warnings: string[] = [];
  log.warn = (...[, message]: unknown[]) => void warnings.push(String(message));
  log.info = () => undefined;
  const followed = new PathMtu({
    underlay: A[family],
    interfaceMtu: 1500,
    log,
    kernel: (address, local) => withNamespace(namespace, () => pathMtu(address, local)),
    ...(withEcho && typeof raw !== 'string'
      ? { echo: new IcmpEcho(raw, (make) => withNamespace(namespace, make)) }
      : {}),
  });
  const changes: number[] = [];
  followed.onChange((_, mtu) => changes.push(mtu));
  followed.setPeers([B[family]]);
  followed.start();
  onTestFinished(() => followed.stop());
  return { pathMtu: followed, changes, warnings };
}

/** What makes the kernel learn: a packet of 1500 bytes with DF, as the tunnel sends them. */
async function sendLarge(namespace: string, family: 4 | 6): Promise<void> {
  const size = family === 4 ? 1472 : 1452;
  await runIn(namespace, 'ping', '-c', '1', '-W', '0.3', '-M', 'do', '-s', String(size), B[family]);
}

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within 20 s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe.skipIf(!isRoot)('PathMtu over a narrow path [needs root]', () => {
  for (const family of [4, 6] as const) {
    it(`IPv${family}: goes down at once when ICMP has said so and a send was refused`, async () => {
      const { a } = await narrowPath(1400);
      const { pathMtu: followed, changes } = follow(a, family, false);
      expect(followed.mtu(B[family])).toBe(1500);
      await sendLarge(a, family);
      followed.tooBig(B[family]);
      expect(followed.mtu(B[family])).toBe(1400);
      expect(changes).toEqual([1400]);
      expect(followed.innerMtu(B[family])).toBe(family === 4 ? 1350 : 1330);
    });

    it(`IPv${family}: follows the kernel without being told, within ${IN_10_SECONDS} ticks`, async () => {
      const { a } = await narrowPath(1400);
      const { pathMtu: followed, changes } = follow(a, family, false);
      await sendLarge(a, family);
      for (let tick = 0; tick < IN_10_SECONDS; tick++) followed.tick();
      expect(changes).toEqual([1400]);
    });

    it.skipIf(typeof raw === 'string')(
      `IPv${family}: the first look finds what ICMP says, before the tunnel's packets are lost`,
      async () => {
        const { a } = await narrowPath(1400);
        const { changes, warnings } = follow(a, family);
        await until('1400', () => changes.length > 0);
        expect({ changes, warnings }).toEqual({ changes: [1400], warnings: [] });
      },
    );

    it.skipIf(typeof raw === 'string')(
      `IPv${family}: finds a black hole, to the byte, and says so`,
      async () => {
        const { a, makeMute } = await narrowPath(1400);
        makeMute();
        const { changes, warnings } = follow(a, family);
        await until('1400', () => changes.length > 0);
        expect(changes).toEqual([1400]);
        expect(warnings).toEqual([expect.stringContaining('vanish')]);
        // The kernel still does not know.
        expect(withNamespace(a, () => pathMtu(B[family], A[family]))).toBe(1500);
      },
    );
  }

  it('stays with the MTU of the interface where a black hole cannot be looked for', async () => {
    const { a, makeMute } = await narrowPath(1400);
    makeMute();
    const { changes, pathMtu: followed } = follow(a, 4, false);
    await sendLarge(a, 4);
    followed.tooBig(B[4]);
    expect({ changes, mtu: followed.mtu(B[4]) }).toEqual({ changes: [], mtu: 1500 });
  });

  it.skipIf(typeof raw === 'string')('leaves a whole path alone', async () => {
    const { a } = await narrowPath(1500);
    const { changes, warnings } = follow(a, 4);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect({ changes, warnings }).toEqual({ changes: [], warnings: [] });
  });
});
