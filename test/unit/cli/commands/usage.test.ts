import { describe, expect, it } from 'vitest';
import { attachRequest, parseLabels } from '../../../../src/cli/commands/attach.js';
import { environmentName } from '../../../../src/cli/daemon-settings.js';
import { podwire } from '../support.js';

describe('a wrong command line', () => {
  it.each([
    [['foo'], "error: USAGE: unknown command 'foo'; see podwire --help"],
    [
      ['stat'],
      "error: USAGE: unknown command 'stat' (Did you mean one of state, stats?); see podwire --help",
    ],
    [['attach', 'web', '--netns', 'n', '--bogus'], "unknown option '--bogus'; see podwire attach --help"],
    [['attach', 'web', '--netns', 'a/b'], "error: USAGE: --netns: 'a/b' is neither a namespace name"],
    [['attach', 'web', '--netns', 'n', '--label', 'x'], 'error: USAGE: --label x: must be KEY=VALUE'],
    [
      ['attach', 'vm', '--tap', 't', '--tap-owner', 'joe'],
      'error: USAGE: --tap-owner joe: must be the number of a user',
    ],
    [['attach', 'web', '--netns', 'n', '--publish', '80:80:80'], 'error: USAGE: --publish 80:80:80: '],
    [['publish', 'web', '8000-8002:80-81'], 'error: USAGE: PORTS 8000-8002:80-81: 3 host ports'],
    [['unpublish', 'web'], 'error: USAGE: which ports?'],
    [['unpublish', 'web', '80', '--all'], 'error: USAGE: which ports?'],
    [['attach', 'web', '--netns', 'n', '-o', 'yaml'], 'error: USAGE: -o yaml: attach prints json'],
    [['detach', '..'], "error: USAGE: POD: '..' cannot be a name"],
    [['status', 'extra'], "too many arguments for 'status'"],
    [['stats', '-o', 'xml'], 'error: USAGE: -o xml: stats prints table, json'],
    [['get', 'pods', 'web', '-A'], 'error: USAGE: a pod is named within one namespace'],
    [['get', 'networks', '-n', 'x'], 'error: USAGE: networks are not in namespaces'],
    [['get', 'anp', '-n', 'x'], 'error: USAGE: adminnetworkpolicies are not in namespaces'],
    [['get', 'foo'], "error: INVALID: kind: 'foo' is no kind"],
    [['delete', 'pod'], 'error: USAGE: what to delete?'],
    [['delete', 'pod', 'web', '-f', 'x'], 'error: USAGE: give KIND and NAME, or -f FILE, not both'],
    [['demo', '--nodes', 'x'], 'error: USAGE: --nodes x: must be a whole number from 1 to 8'],
    [['demo', '--nodes', '4', '--pods', '5'], 'error: USAGE: --nodes 4 --pods 5: at most 16 pods altogether'],
    [['demo', '--store', 'redis'], 'error: USAGE: --store redis: must be embedded or etcd'],
    [['demo', '--nodes', '1', '--store', 'etcd'], 'error: USAGE: --store etcd needs --nodes 2 or more'],
    [['demo', '--pods', '1'], 'error: USAGE: --pods 1: must be a whole number from 2 to 8'],
    [['demo', '--io', 'fast'], 'error: USAGE: --io fast: must be auto, uring, poll'],
    [['demo', '--keep', '--clean'], 'error: USAGE: --clean and --keep contradict'],
    [['demo', '-o', 'json'], 'error: USAGE: -o: demo has no output format'],
    [['demo', '--socket', 'x'], 'error: USAGE: --socket: '],
    [['daemon', '-o', 'json'], 'error: USAGE: -o: daemon has no output format'],
    [['daemon', '--mtu', '9'], "error: INVALID: --mtu: '9'"],
    [['daemon', '--join', 'x'], "error: INVALID: --join: 'x' is no URL"],
    [['daemon', '--workers', '17'], "error: INVALID: --workers: '17' is not a number from 1 to 16"],
    [['status', '--socket', ''], 'error: USAGE: --socket: the path is empty'],
  ])('%j', async (argv, message) => {
    const { err, out, status } = await podwire(...argv);
    expect(err).toContain(message);
    expect(err.trim().split('\n')).toHaveLength(1);
    expect({ out, status }).toEqual({ out: '', status: 2 });
  });

  it('takes a wrong environment variable for one, too', async () => {
    const name = environmentName('mtu');
    process.env[name] = 'large';
    const { err, status } = await podwire('daemon').finally(() => delete process.env[name]);
    expect({ err, status }).toEqual({ err: expect.stringContaining('INVALID: --mtu'), status: 2 });
  });
});

it('prints help and version when asked, and help as an error when nothing is asked', async () => {
  expect(await podwire('--version')).toMatchObject({ out: expect.stringMatching(/^podwire \d/), status: 0 });
  expect(await podwire('--help')).toMatchObject({ out: expect.stringContaining('Commands:'), status: 0 });
  expect(await podwire()).toMatchObject({ out: '', err: expect.stringContaining('Commands:'), status: 2 });
  const { out } = await podwire('daemon', '--help');
  for (const flag of ['--data <DIR>', '--socket <PATH>', '--config <FILE>']) expect(out).toContain(flag);
});

describe('attachRequest', () => {
  it('leaves out what is not given', () => {
    expect(attachRequest({ netns: 'web' })).toEqual({ netns: '/run/netns/web' });
  });

  it('has what is given; a path stays', () => {
    const options = {
      netns: '/proc/7/ns/net',
      ifname: 'net0',
      network: 'b',
      label: ['a=1', 'b='],
      ip: ['10.0.0.9'],
    };
    expect(attachRequest(options)).toEqual({
      netns: '/proc/7/ns/net',
      ifname: 'net0',
      network: 'b',
      labels: { a: '1', b: '' },
      ips: ['10.0.0.9'],
    });
  });
});

it('asks for the TAP of a virtual machine', () => {
  expect(attachRequest({ tap: 'vm0', tapOwner: '1000' })).toEqual({ tap: 'vm0', tapOwner: 1000 });
});

it('reads labels: the first = divides, a key comes once', () => {
  expect(parseLabels(['app.kubernetes.io/name=web', 'q=a=b'])).toEqual({
    'app.kubernetes.io/name': 'web',
    q: 'a=b',
  });
  for (const wrong of [['=v'], ['k'], ['a=1', 'a=2']]) {
    expect(() => parseLabels(wrong)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  }
});
