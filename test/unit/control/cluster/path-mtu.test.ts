/** PathMtu with a kernel and a path of the test's own making, in time that the test turns. */
import { describe, expect, it } from 'vitest';
import { innerMtu, PathMtu } from '../../../../src/control/cluster/path-mtu.js';
import { createLogger } from '../../../../src/control/logger.js';

const PEER = '192.0.2.2';

interface Line {
  readonly level: string;
  readonly message: string;
}

interface World {
  /** What the kernel has been told. */
  kernel: number;
  /** What the path really carries. */
  path: number;
  /** false: no echo at all. */
  reachable?: boolean;
  /** No raw socket can be made. */
  forbidden?: boolean;
}

function setUp(world: World, hasEcho = true) {
  const lines: Line[] = [];
  const log = createLogger({ human: false });
  log.info = (...[, message]: unknown[]) => void lines.push({ level: 'info', message: String(message) });
  log.warn = (...[, message]: unknown[]) => void lines.push({ level: 'warn', message: String(message) });
  const asked: number[] = [];
  const clock = { now: 0 };
  const echo = {
    close: () => undefined,
    echo: async (_: string, size: number) => {
      asked.push(size);
      if (world.forbidden) throw new Error('Operation not permitted');
      return world.reachable !== false && size <= world.path ? 300 : undefined;
    },
  };
  const pathMtu = new PathMtu({
    underlay: '192.0.2.1',
    interfaceMtu: 1500,
    log,
    kernel: () => world.kernel,
    now: () => clock.now,
    ...(hasEcho ? { echo } : {}),
  });
  const changes: [string, number][] = [];
  pathMtu.onChange((address, mtu) => changes.push([address, mtu]));
  /** Ticks through this time, and lets every check come to its end. */
  const pass = async (ms: number) => {
    for (const end = clock.now + ms; clock.now < end; clock.now += 500) {
      pathMtu.tick();
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { pathMtu, changes, pass, asked, lines, world };
}

describe('PathMtu', () => {
  it('begins with the MTU of the interface', () => {
    const { pathMtu, changes } = setUp({ kernel: 1500, path: 1500 });
    pathMtu.setPeers([PEER]);
    expect(pathMtu.mtu(PEER)).toBe(1500);
    expect(pathMtu.innerMtu(PEER)).toBe(1450);
    expect(pathMtu.mtu('192.0.2.99')).toBe(1500);
    expect(changes).toEqual([]);
  });

  it('asks the kernel at once after a send was too big', () => {
    const { pathMtu, changes, world } = setUp({ kernel: 1500, path: 1500 });
    pathMtu.setPeers([PEER]);
    world.kernel = 1400;
    pathMtu.tooBig('192.0.2.99');
    expect(changes).toEqual([]);
    pathMtu.tooBig(PEER);
    expect(changes).toEqual([[PEER, 1400]]);
    expect(pathMtu.innerMtu(PEER)).toBe(1350);
  });

  it('asks the kernel about each peer within 10 s', async () => {
    const { pathMtu, changes, pass, world } = setUp({ kernel: 1500, path: 1400 }, false);
    const peers = Array.from({ length: 37 }, (_, index) => `192.0.2.${index + 2}`);
    pathMtu.setPeers(peers);
    await pass(10_000);
    world.kernel = 1400;
    await pass(5_000);
    expect(changes.length).toBeGreaterThan(10);
    expect(changes.length).toBeLessThan(27);
    await pass(6_000);
    expect(changes.map(([address]) => address).sort()).toEqual([...peers].sort());
  });

  it('finds a black hole, says so once, and stays with it while the peer is silent', async () => {
    const { pathMtu, changes, pass, lines, world } = setUp({ kernel: 1500, path: 1400 });
    pathMtu.setPeers([PEER]);
    await pass(2_000);
    expect(changes).toEqual([[PEER, 1400]]);
    await pass(6 * 60_000);
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    world.reachable = false;
    await pass(6 * 60_000);
    expect(pathMtu.mtu(PEER)).toBe(1400);
    Object.assign(world, { reachable: true, path: 1500 });
    await pass(6 * 60_000);
    expect(changes).toEqual([
      [PEER, 1400],
      [PEER, 1500],
    ]);
  });

  it('tries a path when it is first seen and every five minutes, not more', async () => {
    const { pathMtu, pass, asked } = setUp({ kernel: 1500, path: 1500 });
    pathMtu.setPeers([PEER]);
    await pass(299_000);
    expect(asked).toEqual([576, 1500]);
    await pass(5_000);
    expect(asked).toEqual([576, 1500, 576, 1500]);
  });

  it('goes up only after a packet of that size has come back', async () => {
    const { pathMtu, changes, pass, world } = setUp({ kernel: 1400, path: 1400 });
    pathMtu.setPeers([PEER]);
    await pass(2_000);
    world.kernel = 1500; // the kernel has forgotten what it was told
    await pass(30_000);
    expect(changes).toEqual([[PEER, 1400]]);
    world.path = 1500;
    await pass(6 * 60_000);
    expect(changes.at(-1)).toEqual([PEER, 1500]);
  });

  it('takes the word of the kernel where nobody answers', async () => {
    const { pathMtu, changes, pass, world, lines } = setUp({ kernel: 1400, path: 1400, reachable: false });
    pathMtu.setPeers([PEER]);
    await pass(20_000);
    world.kernel = 1500;
    await pass(20_000);
    expect(changes).toEqual([
      [PEER, 1400],
      [PEER, 1500],
    ]);
    expect(lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  it('follows the kernel up and down without raw-socket', async () => {
    const { pathMtu, changes, pass, world } = setUp({ kernel: 1400, path: 1400 }, false);
    pathMtu.setPeers([PEER]);
    await pass(1_000);
    world.kernel = 9000;
    await pass(11_000);
    expect(changes.map(([, mtu]) => mtu)).toEqual([1400, 9000]);
  });

  it('says once that echo is forbidden, and goes on with the kernel', async () => {
    const { pathMtu, pass, lines, changes, world } = setUp({ kernel: 1500, path: 1500, forbidden: true });
    pathMtu.setPeers([PEER, '192.0.2.3', '192.0.2.4']);
    await pass(60_000);
    expect(lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    world.kernel = 1300;
    await pass(11_000);
    expect(changes).toHaveLength(3);
  });

  it('keeps to a floor for what is inside, and warns', () => {
    const { pathMtu, world, lines } = setUp({ kernel: 1500, path: 1500 }, false);
    pathMtu.setPeers([PEER]);
    world.kernel = 552;
    pathMtu.tooBig(PEER);
    expect(pathMtu.innerMtu(PEER)).toBe(576);
    expect(lines).toEqual([{ level: 'warn', message: expect.stringContaining('too narrow') }]);
  });

  it('forgets peers that are gone', async () => {
    const { pathMtu, changes, pass, asked, world } = setUp({ kernel: 1500, path: 1400 });
    pathMtu.setPeers([PEER]);
    pathMtu.setPeers([]);
    world.kernel = 1400;
    pathMtu.tooBig(PEER);
    await pass(20_000);
    expect({ changes, asked }).toEqual({ changes: [], asked: [] });
  });
});

it('leaves room for outer IP, UDP, VXLAN and Ethernet', () => {
  expect([innerMtu(1500, 4), innerMtu(1500, 6), innerMtu(9000, 4)]).toEqual([1450, 1430, 8950]);
  expect([innerMtu(600, 4), innerMtu(1280, 6)]).toEqual([576, 1280]);
});
