/** The results in each version's form, beside what the reference bridge plugin prints for the same addresses. */
import { describe, expect, it } from 'vitest';
import { ANSWER, call, command, refused, serve } from './support.js';

const DNS = {
  nameservers: ['10.96.0.10'],
  domain: 'example.org',
  search: ['a.example'],
  options: ['ndots:2'],
};

/**
 * Printed by `bridge` 1.1.1 (Debian) with host-local, two ranges and two routes. Its first two interfaces are the host's, which
 * podwire has not: its switch is no interface.
 */
function bridgeResult(cniVersion: string, ips: readonly Record<string, unknown>[]) {
  return {
    cniVersion,
    interfaces: [
      { name: 'br0', mac: '92:6b:62:76:1c:3c' },
      { name: 'vethe2b27382', mac: 'a6:6b:1f:0a:77:b7' },
      { name: 'eth0', mac: 'b6:de:f3:a8:69:3d', sandbox: '/run/netns/c1' },
    ],
    ips,
    routes: [
      { dst: '0.0.0.0/0', gw: '10.244.0.1' },
      { dst: '::/0', gw: 'fd00:10:244::1' },
    ],
    dns: { nameservers: ['10.96.0.10'] },
  };
}

const OLD_IPS = [
  { version: '4', interface: 2, address: '10.244.0.3/24', gateway: '10.244.0.1' },
  { version: '6', interface: 2, address: 'fd00:10:244::3/64', gateway: 'fd00:10:244::1' },
];

const NEW_IPS = [
  { interface: 2, address: '10.244.0.3/24', gateway: '10.244.0.1' },
  { interface: 2, address: 'fd00:10:244::3/64', gateway: 'fd00:10:244::1' },
];

const BRIDGE = [
  bridgeResult('0.3.1', OLD_IPS),
  bridgeResult('0.4.0', OLD_IPS),
  bridgeResult('1.0.0', NEW_IPS),
];

async function added(config: Record<string, unknown>, answer: unknown = ANSWER): Promise<unknown> {
  const { socket } = await serve(200, answer);
  const outcome = await command('ADD', { socket, ...config });
  expect(outcome).toMatchObject({ status: 0 });
  return outcome.answer;
}

describe('ADD', () => {
  it.each(['0.3.0', '0.3.1', '0.4.0'])(
    '%s: addresses say their IP version, interfaces no MTU',
    async (cniVersion) => {
      expect(await added({ cniVersion, dns: DNS })).toEqual({
        cniVersion,
        interfaces: [{ name: 'eth0', mac: ANSWER.mac, sandbox: '/run/netns/c1' }],
        ips: [
          { version: '4', interface: 0, address: '10.244.0.3/24', gateway: '10.244.0.1' },
          { version: '6', interface: 0, address: 'fd00:10:244::3/64', gateway: 'fd00:10:244::1' },
        ],
        routes: ANSWER.routes,
        dns: DNS,
      });
    },
  );

  it('1.0.0: they no longer do', async () => {
    expect(await added({ cniVersion: '1.0.0' })).toEqual({
      cniVersion: '1.0.0',
      interfaces: [{ name: 'eth0', mac: ANSWER.mac, sandbox: '/run/netns/c1' }],
      ips: ANSWER.ips.map((ip) => ({ interface: 0, ...ip })),
      routes: ANSWER.routes,
      dns: {},
    });
  });

  it('1.1.0: interfaces have an MTU', async () => {
    expect(await added({ cniVersion: '1.1.0' })).toMatchObject({
      cniVersion: '1.1.0',
      interfaces: [{ name: 'eth0', mac: ANSWER.mac, mtu: 1450, sandbox: '/run/netns/c1' }],
    });
  });

  it.each(BRIDGE)(
    '$cniVersion: as the bridge plugin prints it',
    async ({ cniVersion, interfaces, ips, routes, dns }) => {
      const [, , { mac, sandbox }] = interfaces;
      expect(await added({ cniVersion, dns }, { ...ANSWER, mac })).toEqual({
        cniVersion,
        interfaces: [{ name: 'eth0', mac, sandbox }],
        ips: ips.map((ip) => ({ ...ip, interface: 0 })),
        routes,
        dns,
      });
    },
  );

  it('without a gateway, in an internal network', async () => {
    const answer = { ...ANSWER, ips: [{ address: '10.80.0.2/24' }], routes: [] };
    expect(await added({}, answer)).toMatchObject({
      ips: [{ interface: 0, address: '10.80.0.2/24' }],
      routes: [],
    });
  });

  it('has podwire’s own name servers where neither the runtime nor a plugin before names one', async () => {
    const own = { nameservers: ['10.244.0.1'], search: ['svc.cluster.local'], options: ['ndots:5'] };
    const answer = { ...ANSWER, dns: own };
    expect(await added({}, answer)).toMatchObject({ dns: own });
    expect(await added({ dns: DNS }, answer)).toMatchObject({ dns: DNS });
    expect(await added({}, { ...ANSWER, dns: null })).toMatchObject({ dns: {} });
    const said = { nameservers: ['10.1.0.1'] };
    const prevResult = { cniVersion: '1.0.0', interfaces: [], ips: [], routes: [], dns: said };
    expect(await added({ cniVersion: '1.0.0', prevResult }, answer)).toMatchObject({ dns: said });
  });

  it('takes name servers from the runtime before those of the configuration', async () => {
    const runtimeConfig = { dns: { servers: ['10.0.0.53'], searches: ['b.example'], options: [] } };
    expect(await added({ dns: DNS, runtimeConfig })).toMatchObject({
      dns: { nameservers: ['10.0.0.53'], domain: 'example.org', search: ['b.example'], options: ['ndots:2'] },
    });
  });
});

describe('ADD behind other plugins', () => {
  const prevResult = {
    cniVersion: '1.1.0',
    interfaces: [
      { name: 'cni0', mac: '00:11:22:33:44:55', mtu: 1500 },
      { name: 'net0', mac: '99:88:77:66:55:44', sandbox: '/run/netns/c1', socketPath: '/run/x' },
    ],
    ips: [
      { address: '10.1.0.5/16', gateway: '10.1.0.1', interface: 1 },
      { address: '10.2.0.5/32', interface: -1 },
    ],
    routes: [{ dst: '10.0.0.0/8', gw: '10.1.0.1', mtu: 1400, priority: 5 }],
    dns: { nameservers: ['10.1.0.1'] },
  };

  it('answers the union, each address with its interface', async () => {
    expect(await added({ prevResult })).toEqual({
      cniVersion: '1.1.0',
      interfaces: [
        ...prevResult.interfaces,
        { name: 'eth0', mac: ANSWER.mac, mtu: 1450, sandbox: '/run/netns/c1' },
      ],
      ips: [...prevResult.ips, ...ANSWER.ips.map((ip) => ({ interface: 2, ...ip }))],
      routes: [...prevResult.routes, ...ANSWER.routes],
      dns: prevResult.dns,
    });
  });

  it('words in the configuration’s version what came in another', async () => {
    expect(await added({ cniVersion: '0.4.0', prevResult })).toMatchObject({
      cniVersion: '0.4.0',
      interfaces: [{ name: 'cni0', mac: '00:11:22:33:44:55' }, { name: 'net0' }, { name: 'eth0' }],
      ips: [
        { version: '4', address: '10.1.0.5/16', interface: 1 },
        { version: '4' },
        { version: '4', interface: 2 },
        { version: '6' },
      ],
      routes: [{ dst: '10.0.0.0/8', gw: '10.1.0.1' }, {}, {}],
    });
    const text = JSON.stringify(await added({ cniVersion: '0.4.0', prevResult }));
    expect(text).not.toMatch(/mtu|socketPath|priority/);
    const ips = [{ version: '4', address: '10.1.0.5/16' }];
    const newer = JSON.stringify(
      await added({ cniVersion: '1.0.0', prevResult: { cniVersion: '0.3.1', ips } }),
    );
    expect(newer).not.toContain('"version"');
  });
});

describe('VERSION', () => {
  it.each([
    [{ cniVersion: '0.4.0' }, '0.4.0'],
    [{ cniVersion: '9.0.0' }, '9.0.0'],
    [{}, '1.1.0'],
    ['', '1.1.0'],
  ])('%j', async (input, cniVersion) => {
    const { answer, status } = await call({ CNI_COMMAND: 'VERSION' }, input);
    expect(status).toBe(0);
    expect(answer).toEqual({ cniVersion, supportedVersions: ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] });
  });
});

describe('CHECK', () => {
  const result = {
    interfaces: [{ name: 'eth0' }, { name: 'eth0', mac: 'AA:BB:CC:00:00:01', sandbox: '/run/netns/c1' }],
    ips: [
      { address: '10.0.0.1/8', interface: 0 },
      { address: '10.244.0.3/24', interface: 1 },
    ],
  };

  it('asks for what the last result says of the interface in the container', async () => {
    const { socket, heard } = await serve(200, { ready: true });
    expect(await command('CHECK', { socket, prevResult: result })).toEqual({ status: 0 });
    const body = { containerId: 'c1', ifname: 'eth0', config: 'pods', netns: '/run/netns/c1' };
    expect(heard).toEqual([
      {
        method: 'POST',
        path: '/v1/cni/check',
        body: { ...body, ips: ['10.244.0.3/24'], mac: 'aa:bb:cc:00:00:01' },
      },
    ]);
  });

  it('fails where the last result lacks the interface', async () => {
    expect(await refused(command('CHECK', { prevResult: { interfaces: [{ name: 'eth0' }] } }))).toMatch(
      /^102: .*no interface eth0/,
    );
  });
});
