/** Starting a daemon where something stands against it: one clear error, and nothing half-made left behind. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DaemonBench, missingForDaemon, until } from './daemon-support.js';

const missing = missingForDaemon();
if (missing) console.log(`skipped: the daemon's tests need ${missing}`);

const noPython = spawnSync('python3', ['--version']).status !== 0;
if (noPython) console.log('skipped: forbidding io_uring needs python3');

/** A seccomp filter: io_uring_setup, call number 425, ends with EPERM; then the command in argv. */
const WITHOUT_IO_URING = `
import ctypes, os, struct, sys
program = b''.join(struct.pack('HBBI', *i) for i in [
    (0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x00050000 | 1), (0x06, 0, 0, 0x7fff0000)])
buffer = ctypes.create_string_buffer(program)
fprog = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', 4, ctypes.addressof(buffer)))
prctl, word = ctypes.CDLL(None).prctl, ctypes.c_ulong
assert prctl(38, word(1), word(0), word(0), word(0)) == 0
assert prctl(22, word(2), fprog, word(0), word(0)) == 0
os.execvp(sys.argv[1], sys.argv[1:])
`;

let bench: DaemonBench;

beforeEach(() => {
  bench = new DaemonBench();
  bench.namespace('host');
});
afterEach(() => bench.cleanup());

async function refusal(flags: string[], host = 'host', wrapper: string[] = []): Promise<string> {
  const { status, text } = await bench.fail(flags, host, wrapper);
  const line = text.split('\n').find((candidate) => candidate.startsWith('error: '));
  return `${status} ${line?.split(':')[1]?.trim()}`;
}

describe.skipIf(missing)('daemon start', () => {
  it('refuses a second daemon in the same data directory, namespace or at the same socket', async () => {
    const running = await bench.start();
    bench.namespace('other');
    const [data, socket] = [join(bench.directory, 'data2'), join(bench.directory, 's2')];
    expect(await refusal([], 'other')).toBe('1 DATA_DIR_IN_USE');
    expect(await refusal(['--data', data], 'other')).toBe('1 SOCKET_IN_USE');
    expect(await refusal(['--data', data, '--socket', socket])).toBe('1 INTERFACE_BUSY');
    expect(existsSync(socket)).toBe(false);
    expect(bench.links('other').map(({ ifname }) => ifname)).toEqual(['lo']);
    expect((await bench.call('GET', '/healthz')).status).toBe(200);
    await bench.end(running, 'SIGTERM');
  });

  it('replaces the socket of a dead daemon, and leaves a file alone that is none', async () => {
    await bench.end(await bench.start(), 'SIGKILL');
    expect(existsSync(bench.socket)).toBe(true);
    await bench.end(await bench.start(), 'SIGTERM');
    expect(existsSync(bench.socket)).toBe(false);
    writeFileSync(bench.socket, 'precious');
    expect(await refusal([])).toBe('1 SOCKET_FAILED');
    expect(existsSync(bench.socket)).toBe(true);
  });

  it('says what is missing when /dev/net/tun is', async () => {
    const hidden = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /dev/net && exec "$@"', 'sh'];
    expect(await refusal([], 'host', hidden)).toBe('1 TUN_UNAVAILABLE');
    expect(bench.links('host').map(({ ifname }) => ifname)).toEqual(['lo']);
    expect(existsSync(bench.socket)).toBe(false);
  });

  it('says what is missing when CAP_NET_ADMIN is', async () => {
    expect(await refusal([], 'host', ['setpriv', '--bounding-set', '-net_admin'])).toBe('1 TUN_FORBIDDEN');
    expect(existsSync(bench.socket)).toBe(false);
  });

  it.skipIf(noPython)('uses poll where io_uring is forbidden, unless io_uring was asked for', async () => {
    const filtered = ['python3', '-c', WITHOUT_IO_URING];
    expect(await refusal(['--io', 'uring'], 'host', filtered)).toBe('1 IO_URING_UNAVAILABLE');
    expect(bench.links('host').map(({ ifname }) => ifname)).toEqual(['lo']);
    await bench.start(['--io', 'auto'], 'host', filtered);
    expect(bench.logged('packet I/O chosen').at(-1)).toMatchObject({
      io: 'poll',
      reason: expect.stringContaining('EPERM'),
    });
    await bench.pod('a');
    expect(await bench.ping('a', '10.244.0.1')).toBe(true);
  });

  it('says what is missing when the program ip is', async () => {
    const hide = 'mount --bind /dev/null "$(readlink -f "$(command -v ip)")" && exec "$@"';
    expect(await refusal([], 'host', ['unshare', '-m', 'sh', '-c', hide, 'sh'])).toBe('1 IPROUTE2_MISSING');
    expect(bench.links('host').map(({ ifname }) => ifname)).toEqual(['lo']);
  });

  it('refuses data of another node, and data that is none', async () => {
    await bench.end(await bench.start(), 'SIGTERM');
    expect(await refusal(['--name', 'n2'])).toBe('1 STATE_MISMATCH');
    const data = join(bench.directory, 'garbage');
    mkdirSync(data);
    writeFileSync(join(data, 'state.mdb'), Buffer.alloc(20_000, 'garbage '));
    expect(await refusal(['--data', data])).toBe('1 STORE_FAILED');
    writeFileSync(join(bench.directory, 'file'), '');
    expect(await refusal(['--data', join(bench.directory, 'file')])).toBe('1 DATA_DIR_FAILED');
  });

  it('refuses to start with subnets that its attached pods are not in', async () => {
    const running = await bench.start();
    await bench.pod('a');
    await bench.end(running, 'SIGTERM');
    expect(await refusal(['--pod-cidr', '10.9.0.0/24'])).toBe('1 STATE_MISMATCH');
    bench.deleteNamespace('a');
    await bench.start(['--pod-cidr', '10.9.0.0/24']);
    expect((await bench.pod('b')).ips).toEqual(['10.9.0.3']);
    expect(await bench.ping('host', '10.9.0.3')).toBe(true);
  });

  it('takes the MTU of the underlay less the tunnel, and refuses an address that is not here', async () => {
    bench.ip('host', 'link', 'add', 'under', 'mtu', '1400', 'type', 'veth', 'peer', 'name', 'peer');
    bench.ip('host', 'address', 'add', '192.0.2.9/24', 'dev', 'under');
    bench.ip('host', 'link', 'set', 'under', 'up');
    expect(await refusal(['--underlay', '192.0.2.10'])).toBe('1 INVALID');
    expect(await refusal(['--pod-cidr', '192.0.2.0/24'])).toBe('1 INVALID');
    await bench.start(['--underlay', '192.0.2.9']);
    expect(await bench.pod('a')).toMatchObject({ mtu: 1350 });
    expect(bench.link('a')?.mtu).toBe(1350);
    expect(await bench.ping('a', '192.0.2.9')).toBe(true);
  });

  it('stops in order at SIGTERM while pods are being attached', async () => {
    const running = await bench.start();
    const names = ['a', 'b', 'c', 'd'];
    for (const name of names) bench.namespace(name);
    const storm = Promise.allSettled(names.map((name) => bench.attach(name)));
    expect(await until(() => bench.link('a') !== undefined)).toBe(true);
    expect(await bench.end(running, 'SIGTERM')).toBe(0);
    await storm;
    expect(bench.logged('undo failed')).toEqual([]);
    await bench.start();
    expect(await bench.ping('a', '10.244.0.1')).toBe(true);
  });
});
