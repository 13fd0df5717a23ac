import { describe, expect, it } from 'vitest';
import { DAEMON_OPTIONS, parseDaemonOptions } from '../../../src/control/options.js';
import { refusal } from './support.js';

const NAME = { name: 'n1' };

describe('parseDaemonOptions', () => {
  it('has the defaults of the documentation', () => {
    expect(parseDaemonOptions(NAME)).toEqual({
      name: 'n1',
      data: '/var/lib/podwire',
      socket: '/run/podwire/podwire.sock',
      clusterCidrs: ['10.244.0.0/16', 'fd00:10:244::/48'],
      serviceCidrs: ['10.96.0.0/16', 'fd00:10:96::/112'],
      vni: 1,
      given: [],
      nonMasqueradeCidrs: [],
      tunnelPort: 4789,
      store: { kind: 'embedded' },
      mtu: 'auto',
      io: 'auto',
      workers: 1,
      dns: 'auto',
      clusterDomain: 'cluster.local',
      resolvConf: '/etc/resolv.conf',
      maxFlows: 1_048_576,
    });
  });

  it('takes a domain in any case, with or without its last dot', () => {
    const domainOf = (text: string) => parseDaemonOptions({ ...NAME, 'cluster-domain': text }).clusterDomain;
    expect(domainOf('K8s.Example.')).toBe('k8s.example');
    for (const text of ['', '.', 'a..b', '-a', 'a_b', `${'a'.repeat(64)}`, 'ab.'.repeat(40)]) {
      expect(() => domainOf(text)).toThrow('--cluster-domain');
    }
  });

  it('puts IPv4 first, and ignores what is undefined', () => {
    const options = parseDaemonOptions({
      ...NAME,
      'pod-cidr': 'fd00:10:244:5::/64, 10.244.5.0/24',
      join: undefined,
    });
    expect(options.podCidrs).toEqual(['10.244.5.0/24', 'fd00:10:244:5::/64']);
  });

  it.each([
    ['10.9.0.0/24', ['10.9.0.0/24']],
    ['10.244.3.0/24', ['10.244.0.0/16']],
    ['10.9.0.0/24,fd00:10:244:1::/64', ['10.9.0.0/24', 'fd00:10:244::/48']],
  ])('finds the cluster around --pod-cidr %s', (podCidr, cluster) => {
    expect(parseDaemonOptions({ ...NAME, 'pod-cidr': podCidr }).clusterCidrs).toEqual(cluster);
  });

  it('leaves the node’s subnets open where they are not given', () => {
    const options = parseDaemonOptions({ ...NAME, 'cluster-cidr': '10.9.0.0/26,fd09::/80' });
    expect(options.podCidrs).toBeUndefined();
    expect(options.clusterCidrs).toEqual(['10.9.0.0/26', 'fd09::/80']);
    expect(options.given).toEqual(['cluster-cidr']);
  });

  it('says where cluster state is kept', () => {
    const cluster = { ...NAME, underlay: '192.0.2.1' };
    const join = { join: 'http://192.0.2.2:7443', 'token-file': '/token' };
    expect(parseDaemonOptions({ ...cluster, ...join }).store).toEqual({
      kind: 'remote',
      url: 'http://192.0.2.2:7443',
    });
    const store = 'etcd=http://192.0.2.3:2379, https://192.0.2.4:2379';
    expect(parseDaemonOptions({ ...cluster, store }).store).toEqual({
      kind: 'etcd',
      urls: ['http://192.0.2.3:2379', 'https://192.0.2.4:2379'],
    });
  });

  it('accepts every value that is', () => {
    const options = parseDaemonOptions({
      ...NAME,
      underlay: '192.0.2.1',
      mtu: '9000',
      io: 'poll',
      workers: '16',
      'max-flows': '1024',
      store: 'embedded',
      vni: '16777215',
      'tunnel-port': '8472',
    });
    expect(options).toMatchObject({
      underlay: '192.0.2.1',
      mtu: 9000,
      io: 'poll',
      workers: 16,
      maxFlows: 1024,
      vni: 16_777_215,
      tunnelPort: 8472,
      given: ['vni'],
    });
  });

  it.each([
    [{ colour: 'blue' }, 'INVALID --colour'],
    [{ name: 'Not A Name' }, 'INVALID --name'],
    [{ data: '' }, 'INVALID --data'],
    [{ socket: '' }, 'INVALID --socket'],
    [{ mtu: 'big' }, 'INVALID --mtu'],
    [{ mtu: '1279' }, 'INVALID --mtu'],
    [{ mtu: '65522' }, 'INVALID --mtu'],
    [{ mtu: '575', 'pod-cidr': '10.9.0.0/24' }, 'INVALID --mtu'],
    [{ io: 'dpdk' }, 'INVALID --io'],
    [{ 'pod-cidr': '10.9.0.0' }, 'INVALID --pod-cidr'],
    [{ 'pod-cidr': '10.9.0.1/24' }, 'INVALID --pod-cidr'],
    [{ 'pod-cidr': '10.9.0.0/30' }, 'INVALID --pod-cidr'],
    [{ 'pod-cidr': '10.9.0.0/24,10.8.0.0/24' }, 'INVALID --pod-cidr'],
    [{ 'pod-cidr': '10.9.0.0/24', 'cluster-cidr': '10.8.0.0/16' }, 'INVALID --pod-cidr'],
    [{ 'cluster-cidr': '10.8.0.0/30' }, 'INVALID --cluster-cidr'],
    [{ 'service-cidr': '10.244.7.0/24' }, 'INVALID --service-cidr'],
    [{ underlay: 'eth0' }, 'INVALID --underlay'],
    [{ underlay: '10.244.9.9' }, 'INVALID --underlay'],
    [{ underlay: '10.96.0.1' }, 'INVALID --underlay'],
    [{ workers: 'many' }, 'INVALID --workers'],
    [{ workers: '0' }, 'INVALID --workers'],
    [{ workers: '17' }, 'INVALID --workers'],
    [{ 'max-flows': '1023' }, 'INVALID --max-flows'],
    [{ 'max-flows': '16777217' }, 'INVALID --max-flows'],
    [{ store: 'etcd=127.0.0.1:2379', underlay: '192.0.2.1' }, 'INVALID --store'],
    [{ store: 'etcd=', underlay: '192.0.2.1' }, 'INVALID --store'],
    [{ store: 'etcd=http://127.0.0.1:2379' }, 'INVALID --underlay'],
    [{ join: 'http://192.0.2.2:7443', 'token-file': '/token' }, 'INVALID --underlay'],
    [
      {
        store: 'etcd=http://127.0.0.1:2379',
        join: 'http://192.0.2.2:7443',
        'token-file': '/token',
        underlay: '192.0.2.1',
      },
      'INVALID --join',
    ],
    [{ store: 'redis' }, 'INVALID --store'],
    [{ vni: '0' }, 'INVALID --vni'],
    [{ vni: '16777216' }, 'INVALID --vni'],
    [{ vni: 'blue' }, 'INVALID --vni'],
    [{ 'tunnel-port': '0' }, 'INVALID --tunnel-port'],
    [{ 'tunnel-port': '65536' }, 'INVALID --tunnel-port'],
  ])('%j: %s', (values, expected) => {
    expect(refusal(() => parseDaemonOptions({ ...NAME, ...values }))).toBe(expected);
  });

  it('allows a small MTU where there is no IPv6', () => {
    expect(parseDaemonOptions({ ...NAME, mtu: '576', 'pod-cidr': '10.9.0.0/24' }).mtu).toBe(576);
  });

  it('lists every flag once', () => {
    const names = DAEMON_OPTIONS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});
