/** What the DNS server knows follows services, their endpoints, networks and pods. */
import { describe, expect, it } from 'vitest';
import { DnsRecords } from '../../../../src/control/dns/records.js';
import type { NamedPod } from '../../../../src/control/names.js';
import { dnsServiceAddresses } from '../../../../src/control/services/dns-address.js';
import { DnsFeed } from '../../../../src/control/services/dns-feed.js';
import { dnsFrontends } from '../../../../src/control/services/dns-frontends.js';
import { ServicePlan } from '../../../../src/control/services/plan.js';
import { pod, service, slice } from './samples.js';

function fed() {
  const records = new DnsRecords();
  const pods: NamedPod[] = [];
  const plan: ServicePlan = new ServicePlan({ node: 'n1' }, (key) => feed.serviceChanged(key));
  const feed: DnsFeed = new DnsFeed({
    records,
    services: plan,
    pods: () => pods,
    ranges: () => ['10.244.0.0/16'],
  });
  return { records, plan, feed, pods };
}

/** What is looked at once is looked at in the next turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const HEADLESS = { clusterIP: 'None', clusterIPs: ['None'], selector: { app: 'web' } };

describe('DnsFeed', () => {
  it('follows services', () => {
    const { records, plan } = fed();
    plan.setService(service());
    plan.changes();
    expect(records.service('shop', 'web')).toMatchObject({ ips: ['10.96.0.7'] });
    plan.setService(service({ clusterIPs: ['10.96.0.8'] }));
    plan.changes();
    expect(records.pointers('', '10.96.0.7')).toEqual([]);
    expect(records.pointers('', '10.96.0.8')).toEqual(['web.shop.svc.cluster.local']);
    plan.removeService('shop/web');
    plan.changes();
    expect(records.service('shop', 'web')).toBeUndefined();
    // It has been there: a question for another name in it is one in an existing namespace.
    expect(records.hasNamespace('shop')).toBe(true);
  });

  it('follows endpoints of a headless service, from pods and from slices', () => {
    const { records, plan } = fed();
    const ips = () => {
      plan.changes();
      const found = records.service('shop', 'web');
      return found?.kind === 'headless' ? found.endpoints.flatMap((one) => one.ips) : undefined;
    };
    plan.setService(service(HEADLESS));
    expect(ips()).toEqual([]);
    plan.setPod(pod('a', '10.244.0.3'));
    expect(ips()).toEqual(['10.244.0.3']);
    plan.setSlice(slice([{ addresses: ['192.0.2.9'] }]));
    expect(ips()).toEqual(['10.244.0.3', '192.0.2.9']);
    plan.setPod(pod('a', '10.244.0.3', { ready: false }));
    plan.removeSlice('shop/web-1');
    expect(ips()).toEqual([]);
  });

  it('makes nothing of what is no service', () => {
    const { records, plan } = fed();
    plan.setExtra('dns', dnsFrontends(['10.244.0.1'], [{ address: '10.244.0.2', port: 5353 }]));
    plan.setExtra('publish/shop/web', []);
    plan.changes();
    expect(records.hasNamespace('publish')).toBe(false);
  });

  it('follows names in networks but the default one, whose pods may ask all the same', async () => {
    const { records, feed, pods } = fed();
    const db = { network: 'back', pod: 'shop/db', ips: ['10.80.0.3'], aliases: ['sql'] };
    const web = [
      { network: 'default', pod: 'shop/web', ips: ['10.244.0.3'] },
      { network: 'back', pod: 'shop/web', ips: ['10.80.0.2'] },
    ];
    pods.push(...web, db, { network: 'default', pod: 'shop/other', ips: ['10.244.0.4'] });
    feed.networksChanged();
    await nextTurn();
    expect(records.names('10.244.0.3', 'sql')).toEqual(['10.80.0.3']);
    expect(records.names('10.244.0.4', 'sql')).toBeUndefined();
    expect(records.names('10.244.0.3', 'other')).toBeUndefined();
    expect(records.hasNamespace('shop')).toBe(true);
    expect(records.owns('10.244.7.7')).toBe(true);
    pods.splice(pods.indexOf(db), 1);
    feed.networksChanged();
    await nextTurn();
    expect(records.names('10.80.0.2', 'sql')).toBeUndefined();
    expect(records.names('10.80.0.2', 'web')).toEqual(['10.80.0.2']);
  });

  it('changes nothing where nothing is different', async () => {
    const { records, feed, pods } = fed();
    pods.push({ network: 'back', pod: 'shop/db', ips: ['10.80.0.3'] });
    feed.networksChanged();
    await nextTurn();
    const { serial } = records;
    feed.networksChanged();
    await nextTurn();
    expect(records.serial).toBe(serial);
  });
});

describe('the way to the server', () => {
  it('is at the tenth service address, where there are so many', () => {
    expect(dnsServiceAddresses(['10.96.0.0/16', 'fd00:10:96::/112'])).toEqual([
      '10.96.0.10',
      'fd00:10:96::a',
    ]);
    expect(dnsServiceAddresses(['10.96.0.0/29', 'fd00:10:96::/124'])).toEqual(['fd00:10:96::a']);
  });

  it('leads from port 53 of each address to the server of its family', () => {
    const ports = dnsFrontends(
      ['10.244.0.1', 'fd00:10:244::1', '10.80.0.1', '10.96.0.10', '10.244.0.1'],
      [{ address: '10.244.0.2', port: 40_053 }],
    );
    expect(ports.map(({ name, protocol }) => `${name} ${protocol}`)).toEqual(['dns:udp UDP', 'dns:tcp TCP']);
    expect(ports[0].frontends.map(({ address, port }) => `${address}:${port}`)).toEqual([
      '10.244.0.1:53',
      '10.80.0.1:53',
      '10.96.0.10:53',
    ]);
    expect(ports[0].backends).toMatchObject([{ address: '10.244.0.2', port: 40_053, cluster: 'active' }]);
  });
});
