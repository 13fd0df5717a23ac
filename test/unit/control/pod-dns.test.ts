import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { resolvConfText } from '../../../src/cli/commands/get-resolvconf.js';
import { podDns } from '../../../src/control/pod-dns.js';

const PARTS = { domain: 'cluster.local', resolvConf: '/nonexistent/resolv.conf' };
const GATEWAYS = ['10.244.0.1', 'fd00:10:244::1'];
const SEARCH = ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'];

describe('podDns', () => {
  it('is the gateway with the search path of Kubernetes', () => {
    const dns = podDns(PARTS, 'shop', GATEWAYS);
    expect(dns).toEqual({ nameservers: GATEWAYS, search: SEARCH, options: ['ndots:5'] });
    expect(dns && resolvConfText(dns)).toBe(
      'nameserver 10.244.0.1\nnameserver fd00:10:244::1\n' +
        'search shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n',
    );
  });

  it('is nothing where nobody would answer', () => {
    expect(podDns(PARTS, 'shop', [])).toBeUndefined();
    expect(podDns(PARTS, 'shop', GATEWAYS, { dnsPolicy: 'None' })).toBeUndefined();
  });

  it('takes what the pod wants beside, or in its place', () => {
    const dnsConfig = {
      nameservers: ['192.0.2.1', '192.0.2.2'],
      searches: ['example.test', 'cluster.local'],
      options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
    };
    expect(podDns(PARTS, 'shop', GATEWAYS, { dnsConfig })).toEqual({
      nameservers: [...GATEWAYS, '192.0.2.1'],
      search: [...SEARCH, 'example.test'],
      options: ['ndots:2', 'edns0'],
    });
    expect(podDns(PARTS, 'shop', GATEWAYS, { dnsPolicy: 'None', dnsConfig })).toEqual({
      nameservers: ['192.0.2.1', '192.0.2.2'],
      search: ['example.test', 'cluster.local'],
      options: ['ndots:2', 'edns0'],
    });
  });

  it('is the host’s where the pod wants that', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'podwire-pod-dns-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const resolvConf = join(folder, 'resolv.conf');
    writeFileSync(resolvConf, 'nameserver 192.0.2.53\nsearch example.test\n');
    const dns = podDns({ ...PARTS, resolvConf }, 'shop', GATEWAYS, { dnsPolicy: 'Default' });
    expect(dns).toEqual({ nameservers: ['192.0.2.53'], search: ['example.test'], options: [] });
  });
});
