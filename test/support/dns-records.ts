/** A small cluster for the DNS server: one service of each kind, and pods in two networks. */
import { DnsRecords } from '../../src/control/dns/records.js';
import { type DnsEndpoint, nameOfAddress } from '../../src/control/dns/view.js';

const HTTP = { name: 'http', protocol: 'tcp', port: 80 } as const;

/** `127.0.0.1` and `10.80.0.2` ask as the pod default/web, which is in `front` and `back`. */
export function clusterRecords(): DnsRecords {
  const records = new DnsRecords();
  records.servers = ['10.96.0.10'];
  records.setRanges(['10.96.0.0/16', '10.244.0.0/16', 'fd00:10:96::/112', 'fd00:10:244::/48']);
  records.addNamespace('empty');
  records.setService('default', 'web', {
    kind: 'cluster',
    ips: ['10.96.0.20'],
    ports: [HTTP, { name: 'dns', protocol: 'udp', port: 53 }],
  });
  records.setService('default', 'dual', {
    kind: 'cluster',
    ips: ['10.96.0.21', 'fd00:10:96::21'],
    ports: [HTTP],
  });
  records.setService('default', 'pets', { kind: 'headless', endpoints: [1, 2, 3].map(pet) });
  records.setService('default', 'nobody', { kind: 'headless', endpoints: [] });
  records.setService('default', 'crowd', {
    kind: 'headless',
    endpoints: Array.from({ length: 300 }, member),
  });
  records.setService('default', 'away', { kind: 'external', target: 'www.example.test' });
  records.setService('default', 'alias', { kind: 'external', target: 'web.default.svc.cluster.local' });
  records.setService('default', 'round', { kind: 'external', target: 'round.default.svc.cluster.local' });
  records.setService('default', 'broken', { kind: 'external', target: `${'x'.repeat(64)}.test` });
  records.setNetwork('front', [
    { network: 'front', name: 'web', pod: 'default/web', ips: ['127.0.0.1', '10.80.0.2'] },
    { network: 'front', name: 'cache', pod: 'default/cache', ips: ['10.80.0.3', 'fd00:80::3'] },
    { network: 'front', name: 'cache.default', pod: 'default/cache', ips: ['10.80.0.3', 'fd00:80::3'] },
  ]);
  records.setNetwork('back', [
    { network: 'back', name: 'web', pod: 'default/web', ips: ['10.81.0.2'] },
    { network: 'back', name: 'db', pod: 'default/db1', ips: ['10.81.0.3'] },
    { network: 'back', name: 'db', pod: 'default/db2', ips: ['10.81.0.4'] },
  ]);
  records.setNetwork('other', [
    { network: 'other', name: 'secret', pod: 'default/secret', ips: ['10.82.0.2'] },
  ]);
  return records;
}

function pet(number: number): DnsEndpoint {
  return { hostname: `pet-${number}`, ips: [`10.244.1.${number}`], ports: [{ ...HTTP, port: 8080 }] };
}

function member(_: unknown, index: number): DnsEndpoint {
  const ip = `10.244.${2 + (index >> 8)}.${index & 255}`;
  return { hostname: nameOfAddress(ip), ips: [ip], ports: [HTTP] };
}
