/** Every wrong or missing field is an error object with the specification's code, and says which field (CNI 1.1, section 5). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CniCode } from '../../../src/cni/errors.js';
import { CONFIG, CONTAINER, call, command, refused } from './support.js';

describe('environment: code 4, naming the variable', () => {
  it.each([
    ['no command', { CNI_COMMAND: '' }, 'CNI_COMMAND: is missing'],
    ['a command of nobody', { CNI_COMMAND: 'add' }, "CNI_COMMAND: 'add'"],
    ['no container', { CNI_COMMAND: 'ADD', CNI_CONTAINERID: '' }, 'CNI_CONTAINERID: missing'],
    [
      'nothing at all',
      { CNI_COMMAND: 'CHECK', CNI_CONTAINERID: '', CNI_NETNS: '', CNI_IFNAME: '' },
      'CNI_CONTAINERID, CNI_IFNAME, CNI_NETNS: missing',
    ],
    ['no namespace', { CNI_COMMAND: 'ADD', CNI_NETNS: '' }, 'CNI_NETNS: missing'],
    [
      'a relative namespace',
      { CNI_COMMAND: 'ADD', CNI_NETNS: 'web' },
      "CNI_NETNS: 'web' is not an absolute path",
    ],
    [
      'the host’s namespace',
      { CNI_COMMAND: 'ADD', CNI_NETNS: '/proc/self/ns/net' },
      'CNI_NETNS: /proc/self/ns/net is the host',
    ],
    ['an ID with a slash', { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'a/b' }, "CNI_CONTAINERID: 'a/b'"],
    [
      'an ID that begins with a hyphen',
      { CNI_COMMAND: 'ADD', CNI_CONTAINERID: '-a' },
      "CNI_CONTAINERID: '-a'",
    ],
    ['a name of sixteen octets', { CNI_COMMAND: 'ADD', CNI_IFNAME: 'e'.repeat(16) }, 'CNI_IFNAME: '],
    ['eight letters of two octets', { CNI_COMMAND: 'ADD', CNI_IFNAME: 'ü'.repeat(8) }, 'CNI_IFNAME: '],
    ['a name with a space', { CNI_COMMAND: 'ADD', CNI_IFNAME: 'eth 0' }, 'CNI_IFNAME: '],
    ['a name with a colon', { CNI_COMMAND: 'ADD', CNI_IFNAME: 'eth0:1' }, 'CNI_IFNAME: '],
    ['lo', { CNI_COMMAND: 'ADD', CNI_IFNAME: 'lo' }, 'CNI_IFNAME: '],
    ['..', { CNI_COMMAND: 'DEL', CNI_IFNAME: '..' }, 'CNI_IFNAME: '],
    [
      'arguments without =',
      { CNI_COMMAND: 'ADD', CNI_ARGS: 'K8S_POD_NAME' },
      "CNI_ARGS: 'K8S_POD_NAME' is not KEY=VALUE",
    ],
    [
      'arguments with two =',
      { CNI_COMMAND: 'ADD', CNI_ARGS: 'IP=1=2' },
      "CNI_ARGS: 'IP=1=2' is not KEY=VALUE",
    ],
    ['unknown arguments', { CNI_COMMAND: 'ADD', CNI_ARGS: 'FOO=1;BAR=2' }, 'CNI_ARGS: unknown FOO, BAR'],
    [
      'unknown arguments that are to count',
      { CNI_COMMAND: 'ADD', CNI_ARGS: 'FOO=1;IgnoreUnknown=false' },
      'CNI_ARGS: unknown FOO',
    ],
    [
      'IgnoreUnknown of another kind',
      { CNI_COMMAND: 'ADD', CNI_ARGS: 'IgnoreUnknown=yes' },
      'CNI_ARGS: IgnoreUnknown=yes',
    ],
    [
      'an address that is none',
      { CNI_COMMAND: 'ADD', CNI_ARGS: 'IP=10.0.0.256' },
      "CNI_ARGS: IP='10.0.0.256'",
    ],
    ['a MAC address that is none', { CNI_COMMAND: 'ADD', CNI_ARGS: 'MAC=02:00' }, "CNI_ARGS: MAC='02:00'"],
    [
      'a pod’s namespace alone',
      { CNI_COMMAND: 'ADD', CNI_ARGS: 'K8S_POD_NAMESPACE=a' },
      'CNI_ARGS: K8S_POD_NAMESPACE',
    ],
  ])('%s', async (_, variables, message) => {
    expect(await refused(call({ ...CONTAINER, ...variables }, CONFIG))).toContain(`4: ${message}`);
  });
});

describe('what cannot be decoded: code 6', () => {
  it.each([
    ['nothing', '', 'is empty'],
    ['half an object', '{"cniVersion":', 'is not JSON'],
    ['a list', '[]', 'is [] and not an object'],
    ['null', 'null', 'is null and not an object'],
    ['a version that is a number', '{"cniVersion":1}', 'cniVersion: 1 is not a version'],
    ['a version that is a word', '{"cniVersion":"latest"}', 'cniVersion: "latest" is not a version'],
  ])('%s', async (_, input, message) => {
    expect(await refused(call({ CNI_COMMAND: 'ADD', ...CONTAINER }, input))).toMatch(/^6: /);
    expect(await refused(call({ CNI_COMMAND: 'ADD', ...CONTAINER }, input))).toContain(message);
  });
});

describe('versions: code 1', () => {
  it.each([
    ['a later one', 'ADD', '2.0.0'],
    ['an earlier one', 'ADD', '0.2.0'],
    ['none, which is 0.1.0', 'ADD', undefined],
    ['a later one of DEL', 'DEL', '1.2.0'],
    ['CHECK before 0.4.0', 'CHECK', '0.3.1'],
    ['STATUS before 1.1.0', 'STATUS', '1.0.0'],
    ['GC before 1.1.0', 'GC', '0.4.0'],
  ])('%s', async (_, name, cniVersion) => {
    expect(await refused(command(name, { cniVersion }))).toMatch(
      /^1: .*(set cniVersion to|raise its cniVersion)/,
    );
  });

  it('says the configuration’s version where it speaks it, else its newest', async () => {
    expect((await command('ADD', { cniVersion: '0.3.1', ipam: 1 })).answer).toMatchObject({
      cniVersion: '0.3.1',
    });
    expect((await command('ADD', { cniVersion: '0.2.0' })).answer).toMatchObject({ cniVersion: '1.1.0' });
  });
});

describe('configuration: code 7, or 2 with key and value where podwire does not do it', () => {
  it.each([
    ['no name', { name: undefined }, '7: name: is missing'],
    ['a name with a slash', { name: 'a/b' }, "7: name: 'a/b'"],
    ['a name that is a number', { name: 1 }, '7: name: 1 is not a string'],
    ['a relative socket', { socket: 'podwire.sock' }, "7: socket: 'podwire.sock' is not an absolute path"],
    ['a socket that is too long', { socket: `/${'a'.repeat(107)}` }, '7: socket: '],
    ['a network with capitals', { network: 'Backend' }, "7: network: 'Backend'"],
    ['a network that is a list', { network: [] }, '7: network: [] is not a string'],
    ['ipam', { ipam: { type: 'host-local' } }, '7: ipam: podwire gives addresses itself'],
    ['ipam that is a string', { ipam: 'host-local' }, '7: ipam: "host-local" is not an object'],
    ['masquerading', { ipMasq: true }, '2: ipMasq: true: '],
    ['a misspelt key', { netwrok: 'backend' }, '2: netwrok: "backend": '],
    ['a key of the bridge plugin', { bridge: 'cni0' }, '2: bridge: "cni0": '],
    [
      'a published port of nothing',
      { runtimeConfig: { portMappings: [{ hostPort: 80 }] } },
      '7: runtimeConfig.portMappings[0].containerPort: ',
    ],
    [
      'a published port that is none',
      { runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 65536 }] } },
      '7: runtimeConfig.portMappings[0].containerPort: ',
    ],
    [
      'a published port of a protocol that is none',
      { runtimeConfig: { portMappings: [{ hostPort: 80, containerPort: 80, protocol: 'icmp' }] } },
      '7: runtimeConfig.portMappings[0].protocol: ',
    ],
    [
      'a capability of nobody',
      { runtimeConfig: { deviceID: '0000:01' } },
      '2: runtimeConfig.deviceID: "0000:01": ',
    ],
    ['runtimeConfig as a list', { runtimeConfig: [] }, '7: runtimeConfig: [] is not an object'],
    [
      'an address that is none',
      { runtimeConfig: { ips: ['10.0.0.0.1'] } },
      "7: runtimeConfig.ips[0]: '10.0.0.0.1'",
    ],
    [
      'a prefix that is too long',
      { runtimeConfig: { ips: ['10.0.0.1/33'] } },
      "7: runtimeConfig.ips[0]: '10.0.0.1/33'",
    ],
    [
      'addresses as a string',
      { runtimeConfig: { ips: '10.0.0.1' } },
      '7: runtimeConfig.ips: "10.0.0.1" is not a list',
    ],
    ['labels as Kubernetes has them', { args: { cni: { labels: { a: 'b' } } } }, '7: args.cni.labels: '],
    [
      'a label without key',
      { args: { cni: { labels: [{ value: 'b' }] } } },
      '7: args.cni.labels[0].key: is missing',
    ],
    ['args.cni.ips', { args: { cni: { ips: [7] } } }, '7: args.cni.ips[0]: 7'],
    ['a MAC address', { runtimeConfig: { mac: '02:00:00:00:00' } }, '7: runtimeConfig.mac: '],
    [
      'a rate below zero',
      { runtimeConfig: { bandwidth: { ingressRate: -1 } } },
      '7: runtimeConfig.bandwidth.ingressRate: -1',
    ],
    [
      'a burst without a rate',
      { runtimeConfig: { bandwidth: { egressBurst: 8 } } },
      '7: runtimeConfig.bandwidth.egressBurst: needs egressRate',
    ],
    [
      'aliases of the network',
      { runtimeConfig: { aliases: { pods: 'web' } } },
      '7: runtimeConfig.aliases.pods: "web" is not a list',
    ],
    ['a name server', { dns: { nameservers: ['resolver'] } }, "7: dns.nameservers[0]: 'resolver'"],
    ['an unknown key of dns', { dns: { servers: ['10.0.0.1'] } }, '2: dns.servers: '],
    ['prevResult as a list', { prevResult: [] }, '7: prevResult: [] is not an object'],
    [
      'an address of prevResult',
      { prevResult: { ips: [{ address: 'a' }] } },
      "7: prevResult.ips[0].address: 'a'",
    ],
    [
      'an interface out of range',
      { prevResult: { ips: [{ address: '10.0.0.1/8', interface: 0 }] } },
      '7: prevResult.ips[0].interface: ',
    ],
    ['a result of another form', { prevResult: { cniVersion: '0.2.0', ip4: {} } }, '1: prevResult: '],
    ['a result of a later version', { prevResult: { cniVersion: '3.0.0' } }, '1: prevResult: '],
  ])('ADD: %s', async (_, config, message) => {
    expect(await refused(command('ADD', config))).toContain(message);
  });

  it('CHECK without prevResult', async () => {
    expect(await refused(command('CHECK'))).toContain('7: prevResult: is missing');
  });

  it.each([
    ['GC without a list', {}, '7: cni.dev/valid-attachments: is missing'],
    [
      'GC with an object',
      { 'cni.dev/valid-attachments': {} },
      '7: cni.dev/valid-attachments: {} is not a list',
    ],
    [
      'GC with a string in it',
      { 'cni.dev/valid-attachments': ['c1'] },
      '7: cni.dev/valid-attachments[0]: "c1" is not an object',
    ],
    [
      'GC without an interface',
      { 'cni.dev/valid-attachments': [{ containerID: 'c1' }] },
      '7: cni.dev/valid-attachments[0].ifname: ',
    ],
  ])('%s', async (_, config, message) => {
    expect(await refused(command('GC', config))).toContain(message);
  });
});

describe('any input', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('', 'default', '1.1.0', 'eth0', '/run/netns/x', '10.0.0.1/24'),
  );
  const json = fc.oneof(fc.jsonValue(), word);
  const keys = [
    'name',
    'socket',
    'network',
    'runtimeConfig',
    'args',
    'dns',
    'prevResult',
    'ipam',
    'cni.dev/valid-attachments',
  ];
  const config = fc.record(
    {
      cniVersion: fc.constantFrom<unknown>('0.3.1', '0.4.0', '1.0.0', '1.1.0', 1, null),
      ...Object.fromEntries(keys.map((key) => [key, json])),
    },
    { requiredKeys: [] },
  );
  const input = fc.oneof(
    fc.string(),
    fc.json(),
    config.map((value) => JSON.stringify(value)),
  );
  const variables = fc.record(
    {
      CNI_COMMAND: fc.constantFrom('ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION', 'NONE'),
      ...{ CNI_CONTAINERID: word, CNI_NETNS: word, CNI_IFNAME: word, CNI_ARGS: word },
    },
    { requiredKeys: ['CNI_COMMAND'] },
  );

  it('is answered, or refused with a code, a message in one line, and no trace of the stack', async () => {
    const codes = new Set<number>(Object.values(CniCode));
    await fc.assert(
      fc.asyncProperty(variables, input, async (environment, text) => {
        const { answer, status } = await call(environment, text);
        if (status === 0) {
          expect(['VERSION', 'DEL']).toContain(environment.CNI_COMMAND);
          return;
        }
        const { cniVersion, code, msg, details } = answer as Record<string, unknown>;
        expect(cniVersion).toMatch(/^\d\.\d\.\d$/);
        expect(codes).toContain(code);
        // A fault of ours would be code 100 here, where no daemon answers
        expect(code).not.toBe(CniCode.FAILED);
        expect(msg).toMatch(/^[^\n]+$/);
        expect(msg).not.toMatch(/\bat .*:\d+:\d+/);
        expect(details).toMatch(/^[A-Z_]+$/);
      }),
      { numRuns: 500 },
    );
  });
});
