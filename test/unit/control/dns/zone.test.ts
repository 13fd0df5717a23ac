/** What is answered of services, pods and networks: names that are there, names that are not, and types that a name lacks. */
import type { RecordType } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { Resolver } from '../../../../src/control/dns/resolver.js';
import { Upstream } from '../../../../src/control/dns/upstream.js';
import { asked, question } from '../../../support/dns-ask.js';
import { clusterRecords } from '../../../support/dns-records.js';

const NOERROR = 0;
const SERVFAIL = 2;
const NXDOMAIN = 3;
const SVC = 'default.svc.cluster.local';

// Without a name server, whatever is not known here is SERVFAIL.
function resolver() {
  return new Resolver(clusterRecords(), new Upstream());
}

function ask(name: string, type: RecordType, client?: string) {
  return asked(resolver(), question(name, type), { client, limit: () => 65_535 });
}

describe('the Kubernetes specification', () => {
  it.each<[name: string, type: RecordType, answers: string[]]>([
    [`web.${SVC}`, 'A', ['A 10.96.0.20']],
    [`dual.${SVC}`, 'A', ['A 10.96.0.21']],
    [`dual.${SVC}`, 'AAAA', ['AAAA fd00:10:96::21']],
    [`pets.${SVC}`, 'A', ['A 10.244.1.1', 'A 10.244.1.2', 'A 10.244.1.3']],
    [`pet-2.pets.${SVC}`, 'A', ['A 10.244.1.2']],
    [`10-244-2-7.crowd.${SVC}`, 'A', ['A 10.244.2.7']],
    [`_http._tcp.web.${SVC}`, 'SRV', [`SRV 80 web.${SVC}`]],
    [`_dns._udp.web.${SVC}`, 'SRV', [`SRV 53 web.${SVC}`]],
    [`_http._tcp.pets.${SVC}`, 'SRV', [1, 2, 3].map((pet) => `SRV 8080 pet-${pet}.pets.${SVC}`)],
    ['20.0.96.10.in-addr.arpa', 'PTR', [`PTR web.${SVC}`]],
    ['2.1.244.10.in-addr.arpa', 'PTR', [`PTR pet-2.pets.${SVC}`]],
    [`${'120000000000000000006900010000df'.split('').join('.')}.ip6.arpa`, 'PTR', [`PTR dual.${SVC}`]],
    ['10-244-9-1.default.pod.cluster.local', 'A', ['A 10.244.9.1']],
    ['fd00-10-244--5.default.pod.cluster.local', 'AAAA', ['AAAA fd00:10:244::5']],
    ['dns-version.cluster.local', 'TXT', ['TXT 1.1.0']],
    [`away.${SVC}`, 'CNAME', ['CNAME www.example.test']],
    [`alias.${SVC}`, 'A', [`CNAME web.${SVC}`, 'A 10.96.0.20']],
    ['cluster.local', 'NS', ['NS ns.dns.cluster.local']],
    ['ns.dns.cluster.local', 'A', ['A 10.96.0.10']],
  ])('%s %s', async (name, type, answers) => {
    const said = await ask(name, type);
    expect(said.rcode).toBe(NOERROR);
    expect([...said.answers].sort()).toEqual([...answers].sort());
    expect(said.packet.flag_aa).toBe(true);
    expect(said.authority).toEqual([]);
  });

  it('says beside SRV where the targets are', async () => {
    const { additional } = await ask(`_http._tcp.dual.${SVC}`, 'SRV');
    expect(additional).toEqual(['A 10.96.0.21', 'AAAA fd00:10:96::21']);
  });

  it.each<[name: string, type: RecordType]>([
    [`web.${SVC}`, 'AAAA'],
    [`web.${SVC}`, 'MX'],
    [`web.${SVC}`, 'SRV'],
    [`pets.${SVC}`, 'AAAA'],
    [`_tcp.web.${SVC}`, 'A'],
    [`_http._tcp.web.${SVC}`, 'A'],
    [SVC, 'A'],
    ['empty.svc.cluster.local', 'A'],
    ['svc.cluster.local', 'A'],
    ['default.pod.cluster.local', 'A'],
    ['cluster.local', 'A'],
    ['dns.cluster.local', 'A'],
    ['10-244-9-1.default.pod.cluster.local', 'AAAA'],
    ['20.0.96.10.in-addr.arpa', 'A'],
  ])('%s exists and has no %s', async (name, type) => {
    const said = await ask(name, type);
    expect([said.rcode, said.answers, said.authority]).toEqual([NOERROR, [], ['SOA ']]);
  });

  it.each([
    `nosuch.${SVC}`,
    'web.nosuch.svc.cluster.local',
    'nosuch.svc.cluster.local',
    `nobody.${SVC}`,
    `x.web.${SVC}`,
    `pet-9.pets.${SVC}`,
    `_sctp.web.${SVC}`,
    `_https._tcp.web.${SVC}`,
    `_http._udp.web.${SVC}`,
    `a.b.c.web.${SVC}`,
    '192-0-2-1.default.pod.cluster.local',
    '10-244-9-1.nosuch.pod.cluster.local',
    '10-244-9.default.pod.cluster.local',
    'x.10-244-9-1.default.pod.cluster.local',
    'x.dns-version.cluster.local',
    'other.cluster.local',
    '99.0.96.10.in-addr.arpa',
  ])('%s does not exist', async (name) => {
    const said = await ask(name, 'A');
    expect([said.rcode, said.answers, said.authority]).toEqual([NXDOMAIN, [], ['SOA ']]);
  });

  it('fails where an ExternalName leads in a circle or is no name', async () => {
    expect((await ask(`round.${SVC}`, 'A')).rcode).toBe(SERVFAIL);
    expect((await ask(`broken.${SVC}`, 'A')).rcode).toBe(SERVFAIL);
  });

  it('begins another answer with another endpoint', async () => {
    const one = resolver();
    const firsts = new Set<string>();
    for (let turn = 0; turn < 6; turn++) {
      firsts.add((await asked(one, question(`pets.${SVC}`, 'A'))).answers[0]);
    }
    expect(firsts.size).toBe(3);
  });
});

describe('names in networks', () => {
  it('are those of the asker, too, where it asks from an address in another network', () => {
    const records = clusterRecords();
    expect(records.names('10.244.0.9', 'cache')).toBeUndefined();
    records.setAskers([['10.244.0.9', 'default/web']]);
    expect(records.names('10.244.0.9', 'cache')).toEqual(['10.80.0.3', 'fd00:80::3']);
    expect(records.names('10.244.0.9', 'secret')).toBeUndefined();
    // The address itself has no name in a network.
    expect(records.pointers('10.80.0.3', '10.244.0.9')).toEqual([]);
    records.setAskers([]);
    expect(records.names('10.244.0.9', 'cache')).toBeUndefined();
  });

  it('are those of the networks that the asker is in', async () => {
    expect((await ask('cache', 'A', '10.80.0.2')).answers).toEqual(['A 10.80.0.3']);
    expect((await ask('cache.default', 'AAAA', '10.80.0.2')).answers).toEqual(['AAAA fd00:80::3']);
    // default/web is in both networks, whichever it asks from.
    expect((await ask('db', 'A', '10.80.0.2')).answers.length).toBe(2);
    expect((await ask('db', 'A', '10.80.0.3')).rcode).toBe(SERVFAIL);
    expect((await ask('secret', 'A', '10.80.0.2')).rcode).toBe(SERVFAIL);
    expect((await ask('cache', 'A', '192.0.2.1')).rcode).toBe(SERVFAIL);
  });

  it('answer that there is no AAAA at once', async () => {
    const said = await ask('db', 'AAAA', '10.80.0.2');
    expect([said.rcode, said.answers, said.authority]).toEqual([NOERROR, [], ['SOA ']]);
  });

  it('are found by address, from within', async () => {
    expect((await ask('3.0.80.10.in-addr.arpa', 'PTR', '10.80.0.2')).answers).toEqual(['PTR cache.default']);
    expect((await ask('2.0.82.10.in-addr.arpa', 'PTR', '10.80.0.2')).rcode).toBe(SERVFAIL);
  });
});

describe('the records', () => {
  it('forget what was replaced', async () => {
    const records = clusterRecords();
    const before = records.serial;
    records.setService('default', 'web', { kind: 'cluster', ips: ['10.96.0.99'], ports: [] });
    expect(records.pointers('', '10.96.0.20')).toEqual([]);
    expect(records.pointers('', '10.96.0.99')).toEqual([`web.${SVC}`]);
    records.setNetwork('front', []);
    expect(records.names('10.80.0.2', 'cache')).toBeUndefined();
    expect(records.names('10.81.0.2', 'db')).toEqual(['10.81.0.3', '10.81.0.4']);
    records.setNetwork('back', [{ network: 'back', name: 'db', pod: 'default/db1', ips: ['10.81.0.3'] }]);
    // default/web was disconnected from it, and is in `front` again.
    records.setNetwork('front', [{ network: 'front', name: 'web', pod: 'default/web', ips: ['10.80.0.2'] }]);
    expect(records.names('10.80.0.2', 'db')).toBeUndefined();
    expect(records.names('10.81.0.3', 'db')).toEqual(['10.81.0.3']);
    records.deleteNamespace('default');
    expect(records.pointers('', '10.96.0.99')).toEqual([]);
    expect(records.service('default', 'pets')).toBeUndefined();
    expect(records.serial).toBeGreaterThan(before);
  });

  it('change a service as quickly among 50,000', () => {
    const records = clusterRecords();
    for (let number = 0; number < 50_000; number++) {
      const ip = `10.97.${number >> 8}.${number & 255}`;
      records.setService(`ns${number % 100}`, `svc${number}`, { kind: 'cluster', ips: [ip], ports: [] });
    }
    const begun = performance.now();
    for (let turn = 0; turn < 1000; turn++) {
      records.setService('ns7', 'svc7', { kind: 'cluster', ips: [`10.98.0.${turn % 250}`], ports: [] });
    }
    // A thousand changes within what one may take.
    expect(performance.now() - begun).toBeLessThan(1000);
  });
});
