/**
 * Virtual machines whose interface is a TAP that podwire made: in the node's own namespace unless told otherwise.
 *
 *     pod a: eth0 ── switch ── packet socket ── host: vm0 ══ TAP fd ── test/support/vmm.py, monitor and guest
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AttachAnswer, DropsAnswer, Pod } from '../../src/control/api/types.js';
import { pythonWithScapy } from '../support/scapy.js';
import { Monitor, openTapAs } from '../support/vmm.js';
import { DaemonBench, missingForDaemon, outcome, type RunningDaemon, until } from './daemon-support.js';

const python = pythonWithScapy() ?? '';
const missing = missingForDaemon() ?? (python === '' ? 'scapy' : undefined);
if (missing) console.log(`skipped: virtual machines need ${missing}`);

const NODE = '10.244.0.2';
const EPERM = 1;
/** Of nobody in particular. */
const [OWNER, STRANGER] = [41_001, 41_002];

describe.skipIf(missing)('a virtual machine', () => {
  let bench: DaemonBench;
  let daemon: RunningDaemon;
  let a: AttachAnswer;
  const monitors: Monitor[] = [];

  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    daemon = await bench.start();
    a = await bench.pod('a');
  });
  afterEach(async () => {
    for (const monitor of monitors.splice(0)) await monitor.end();
    for (const { metadata, status } of await pods())
      if (status?.interfaces?.some(({ tap }) => tap !== undefined)) await bench.detach(metadata.name);
  });
  afterAll(() => bench.cleanup());

  const pods = async (): Promise<Pod[]> => (await bench.call<{ items: Pod[] }>('GET', '/v1/pods')).body.items;
  const view = async (name: string): Promise<Pod> =>
    (await bench.call<Pod>('GET', `/v1/pods/default/${name}`)).body;
  const create = async (name: string, body: object = {}): Promise<AttachAnswer> => {
    const answer = await bench.attach(name, { netns: undefined, tap: `${name}0`, ...body });
    expect([outcome(answer), answer.body]).toEqual(['200', answer.body]);
    return answer.body;
  };
  const boot = async ({ tap, ips, mac }: Partial<AttachAnswer>, host = 'host'): Promise<Monitor> => {
    const guest = { tap: tap!, ip: ips![0], mac: mac! };
    const monitor = await Monitor.start(python, bench.name(host), guest);
    monitors.push(monitor);
    return monitor;
  };
  const drops = async (port: string): Promise<Record<string, number>> => {
    const all = (await bench.call<DropsAnswer>('GET', '/v1/drops')).body.drops;
    return Object.fromEntries(
      all.filter((drop) => drop.port === port).map(({ reason, count }) => [reason, count]),
    );
  };
  /** The monitor opens the TAP a moment before it reads it. */
  const answers = (from: string, to: string): Promise<boolean> => until(() => bench.ping(from, to));

  it('has a TAP that the host has no part in, and reaches pods and the node as a pod does', async () => {
    const vm = await create('vm');
    expect(vm).toMatchObject({ name: 'vm', network: 'default', tap: 'vm0', ifname: 'eth0', mtu: a.mtu });
    const link = bench.link('host', 'vm0')!;
    expect(link).toMatchObject({ mtu: a.mtu, addr_info: [], address: `fe${vm.mac.slice(2)}` });
    expect(link.flags).toEqual(expect.arrayContaining(['NOARP', 'UP']));
    expect(link.flags).not.toContain('MULTICAST');
    const monitor = await boot(vm);
    expect(bench.link('host', 'vm0')!.addr_info).toEqual([]);
    expect(await monitor.ping(a.ips[0])).toBe(a.ips[0]);
    expect(await monitor.ping(NODE)).toBe(NODE);
    expect(await answers('a', vm.ips[0])).toBe(true);
    expect(await answers('host', vm.ips[0])).toBe(true);
    expect((await view('vm')).status).toMatchObject({
      phase: 'Running',
      interfaces: [{ tap: 'vm0', up: true }],
    });
  });

  it('does not reach the host past the switch', async () => {
    const monitor = await boot(await create('vm'));
    const host = bench.link('host', 'vm0')!.address;
    expect(await monitor.ping(NODE, host)).toBe('nothing');
    expect(await monitor.ping(NODE)).toBe(NODE);
  });

  it('sends under its own addresses only', async () => {
    const vm = await create('vm');
    const monitor = await boot({ ...vm, mac: '02:00:00:00:77:77' });
    expect(await monitor.ping(a.ips[0], a.mac)).toBe('nothing');
    await monitor.end();
    const other = await boot({ ...vm, ips: ['10.244.0.77'] });
    expect(await other.ping(a.ips[0], a.mac)).toBe('nothing');
    expect(
      await until(async () => {
        const counted = await drops('default/vm');
        return counted['spoofed-mac'] > 0 && counted['spoofed-ipv4'] > 0;
      }),
    ).toBe(true);
  });

  it('goes on when the daemon is killed and started again, and has a monitor again when that is', async () => {
    const vm = await create('vm', { tapOwner: OWNER });
    const monitor = await boot(vm);
    const { ifindex } = bench.link('host', 'vm0')!;
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await bench.end(daemon, signal);
      daemon = await bench.start();
      expect(bench.link('host', 'vm0')).toMatchObject({ ifindex });
      expect(await monitor.ping(a.ips[0])).toBe(a.ips[0]);
      expect(await answers('a', vm.ips[0])).toBe(true);
    }
    await monitor.end();
    expect(bench.link('host', 'vm0')).toMatchObject({ ifindex });
    const next = await boot(vm);
    expect(await next.ping(a.ips[0])).toBe(a.ips[0]);
    // Asked again: the same.
    expect(await create('vm')).toEqual(vm);
  });

  it('gets its TAP again when somebody deletes it, also while there is no daemon', async () => {
    const vm = await create('vm', { tapOwner: OWNER });
    bench.ip('host', 'link', 'delete', 'vm0');
    const isBack = () => until(() => bench.links('host').some(({ ifname }) => ifname === 'vm0'));
    expect(await isBack()).toBe(true);
    expect(await until(async () => (await view('vm')).status?.phase === 'Running')).toBe(true);
    expect(await (await boot(vm)).ping(a.ips[0])).toBe(a.ips[0]);

    await bench.end(daemon, 'SIGKILL');
    bench.ip('host', 'link', 'delete', 'vm0');
    daemon = await bench.start();
    expect(await isBack()).toBe(true);
    expect(await (await boot(vm)).ping(a.ips[0])).toBe(a.ips[0]);
    expect(openTapAs(python, bench.name('host'), STRANGER, 'vm0')).toBe(EPERM);
  });

  it('is detached under its monitor, and leaves nothing', async () => {
    const vm = await create('vm');
    const monitor = await boot(vm);
    expect(await monitor.ping(a.ips[0])).toBe(a.ips[0]);
    expect((await bench.detach('vm')).body).toMatchObject({ ips: vm.ips });
    expect(bench.link('host', 'vm0')).toBeUndefined();
    expect(await until(() => !monitor.isAlive)).toBe(true);
  });

  it('leaves an interface alone that has taken the name of its TAP', async () => {
    await create('vm');
    await bench.end(daemon, 'SIGKILL');
    bench.ip('host', 'link', 'delete', 'vm0');
    bench.ip('host', 'tuntap', 'add', 'vm0', 'mode', 'tap');
    const { ifindex } = bench.link('host', 'vm0')!;
    daemon = await bench.start();
    expect((await view('vm')).status?.phase).toBe('Lost');
    expect(outcome(await bench.detach('vm'))).toBe('200');
    expect(bench.link('host', 'vm0')).toMatchObject({ ifindex });
    bench.ip('host', 'link', 'delete', 'vm0');
  });

  it('is opened by root, and by the user that is said', async () => {
    const host = bench.name('host');
    await create('vm');
    expect(openTapAs(python, host, OWNER, 'vm0')).toBe(EPERM);
    expect(openTapAs(python, host, 0, 'vm0')).toBe(0);
    await create('own', { tapOwner: OWNER });
    expect(openTapAs(python, host, OWNER, 'own0')).toBe(0);
    expect(openTapAs(python, host, STRANGER, 'own0')).toBe(EPERM);
  });

  it('has a TAP in another namespace, and several in several networks', async () => {
    const two = {
      apiVersion: 'podwire.dev/v1',
      kind: 'Network',
      metadata: { name: 'two' },
      spec: { mode: 'bridge', cidrs: ['10.80.0.0/24'], mtu: 1400 },
    };
    expect(outcome(await bench.call('PUT', '/v1/networks/two', two))).toBe('201');
    await bench.attach('a', { network: 'two' });
    bench.namespace('jail');
    const first = await create('vm', { netns: bench.path('jail') });
    const second = await create('vm', { tap: 'vm1', network: 'two', limits: { egress: { rate: '1G' } } });
    expect(second).toMatchObject({ ifname: 'eth1', mtu: 1400, limits: { egress: { rate: 1e9 } } });
    expect(bench.link('jail', 'vm1')).toMatchObject({ mtu: 1400 });
    expect(await (await boot(first, 'jail')).ping(a.ips[0])).toBe(a.ips[0]);
    const monitor = await boot(second, 'jail');
    expect(await monitor.ping('10.80.0.2')).toBe('10.80.0.2');
    const parted = await bench.call('POST', '/v1/pods/default/vm/detach', { network: 'two' });
    expect(outcome(parted)).toBe('200');
    expect(bench.links('jail').map(({ ifname }) => ifname)).toEqual(['lo', 'vm0']);

    for (const other of monitors.splice(0)) await other.end();
    bench.deleteNamespace('jail');
    expect(
      await until(async () => outcome(await bench.call('GET', '/v1/pods/default/vm')) === '404 NOT_FOUND'),
    ).toBe(true);
  });

  it('is refused what cannot be, and nothing is left', async () => {
    bench.namespace('pod');
    bench.ip('host', 'tuntap', 'add', 'mine', 'mode', 'tap');
    await create('vm', { tapOwner: OWNER });
    const none = {
      apiVersion: 'podwire.dev/v1',
      kind: 'Network',
      metadata: { name: 'none' },
      spec: { mode: 'none' },
    };
    await bench.call('PUT', '/v1/networks/none', none);
    const cases: [body: object, expected: string][] = [
      [{ tap: 'mine' }, '409 INTERFACE_EXISTS'],
      [{ tap: 'vm0' }, '409 INTERFACE_EXISTS'],
      [{ tap: 'podwire0' }, '409 INTERFACE_EXISTS'],
      [{ tap: 'a/b' }, '400 INVALID'],
      [{ tap: '..' }, '400 INVALID'],
      [{ tap: 'sixteen-letters-' }, '400 INVALID'],
      [{ tap: 'x0', tapOwner: -1 }, '400 INVALID'],
      [{ tap: 'x0', tapOwner: 4_294_967_295 }, '400 INVALID'],
      [{ tapOwner: 7 }, '400 INVALID'],
      [{ tap: 'x0', network: 'none', netns: bench.path('pod') }, '400 INVALID'],
      [{ tap: 'x0', netns: '/run/netns/nowhere' }, '404 NETNS_NOT_FOUND'],
      [{ tap: 'x0', mac: a.mac }, '409 MAC_IN_USE'],
      [{ netns: bench.path('host') }, '400 NETNS_INVALID'],
    ];
    const before = bench.links('host').map(({ ifname }) => ifname);
    for (const [body, expected] of cases) {
      const answer = await bench.attach('x', { netns: undefined, ...body });
      expect([body, outcome(answer)]).toEqual([body, expected]);
    }
    for (const body of [{ tap: 'other' }, { tapOwner: STRANGER, tap: 'vm0' }])
      expect(outcome(await bench.attach('vm', { netns: undefined, ...body }))).toBe('409 ALREADY_ATTACHED');
    expect(bench.links('host').map(({ ifname }) => ifname)).toEqual(before);
    expect(outcome(await bench.call('GET', '/v1/pods/default/x'))).toBe('404 NOT_FOUND');
  });
});
