/** What the commands that look into the switch print, from answers of the API's shape. */
import { describe, expect, it } from 'vitest';
import type {
  DropsAnswer,
  FdbAnswer,
  NamesAnswer,
  NeighborsAnswer,
  RoutesAnswer,
  StatsAnswer,
  StatusAnswer,
} from '../../../../src/control/api/types.js';
import { fakeApi, podwire } from '../support.js';

describe('what the switch knows', () => {
  it('routes, fdb, neighbors', async () => {
    const routes: RoutesAnswer = {
      generation: 3,
      routes: [
        { network: 'default', prefix: '10.244.0.0/24', kind: 'connected', via: null, dev: 'default' },
        { network: 'node', prefix: '10.80.0.0/24', kind: 'via', via: '10.244.0.1', dev: 'default' },
      ],
    };
    const fdb: FdbAnswer = {
      generation: 3,
      fdb: [
        { network: 'a', vlan: 0, mac: '02:70:0a:f4:00:03', port: 'default/web', kind: 'static', ageMs: null },
        {
          network: 'a#1',
          vlan: 12,
          mac: '02:00:00:00:00:09',
          port: 'default/db',
          kind: 'learned',
          ageMs: 4200,
        },
      ],
    };
    const neighbors: NeighborsAnswer = { generation: 3, neighbors: [] };
    const { socket } = await fakeApi({
      'GET /v1/routes': { body: routes },
      'GET /v1/fdb': { body: fdb },
      'GET /v1/neighbors': { body: neighbors },
    });
    expect((await podwire('routes', '--socket', socket)).out).toBe(
      'NETWORK   PREFIX          KIND        VIA          DEV\n' +
        'default   10.244.0.0/24   connected   -            default\n' +
        'node      10.80.0.0/24    via         10.244.0.1   default\n',
    );
    expect((await podwire('fdb', '--socket', socket)).out).toBe(
      'NETWORK   VLAN   MAC                 PORT          KIND      AGE\n' +
        'a            -   02:70:0a:f4:00:03   default/web   static      -\n' +
        'a#1         12   02:00:00:00:00:09   default/db    learned    4s\n',
    );
    expect((await podwire('neighbors', '--socket', socket)).out).toBe('no neighbours\n');
    expect(JSON.parse((await podwire('fdb', '-o', 'json', '--socket', socket)).out)).toEqual(fdb);
  });

  it('names, of one network where that is asked for', async () => {
    const names: NamesAnswer = {
      names: [
        { network: 'red', name: 'db', pod: 'default/a', ips: ['10.90.0.2', 'fd90::2'] },
        { network: 'red', name: 'db', pod: 'default/b', ips: ['10.90.0.3'] },
      ],
    };
    const { socket } = await fakeApi({ 'GET /v1/names?network=red': { body: names } });
    expect((await podwire('names', '--network', 'red', '--socket', socket)).out).toBe(
      'NETWORK   NAME   IPS                 POD\n' +
        'red       db     10.90.0.2,fd90::2   default/a\n' +
        'red       db     10.90.0.3           default/b\n',
    );
  });

  it('stats with the balance below, drops with their meaning', async () => {
    const stats: StatsAnswer = {
      ports: [{ port: 'default/web', rxPackets: 12, rxBytes: 1536, txPackets: 9, txBytes: 900, drops: 3 }],
      totals: { received: 12, originated: 1, replicated: 0, joined: 0, consumed: 1, sent: 9, dropped: 3 },
      inFlight: 0,
      cycles: {
        cycles: 5,
        cyclePackets: 12,
        suppressedErrors: 0,
        movedAddresses: 0,
        unsharedAddresses: 0,
        expressPackets: 4,
      },
    };
    const drops: DropsAnswer = {
      total: 3,
      drops: [{ reason: 'no-route', meaning: 'no route to the destination', port: 'default/web', count: 3 }],
      rules: [],
    };
    const { socket } = await fakeApi({ 'GET /v1/stats': { body: stats }, 'GET /v1/drops': { body: drops } });
    expect((await podwire('stats', '--socket', socket)).out).toBe(
      'PORT          RX-PACKETS   RX-BYTES   TX-PACKETS   TX-BYTES   DROPS\n' +
        'default/web           12   1.50 KiB            9      900 B       3\n' +
        '\n12 received + 1 originated = 9 sent + 1 consumed + 3 dropped\n',
    );
    expect((await podwire('drops', '--socket', socket)).out).toBe(
      'COUNT   REASON     PORT          MEANING\n' +
        '    3   no-route   default/web   no route to the destination\n',
    );
    const none = await fakeApi({ 'GET /v1/drops': { body: { total: 0, drops: [], rules: [] } } });
    expect((await podwire('drops', '--socket', none.socket)).out).toBe('no drops\n');
  });

  it('status', async () => {
    const status: StatusAnswer = {
      node: 'k1',
      ready: true,
      io: 'uring',
      ioReason: 'the kernel has it',
      workers: 1,
      generation: 4,
      podCIDRs: ['10.244.0.0/24'],
      clusterCIDRs: ['10.244.0.0/16'],
      serviceCIDRs: [],
      underlay: null,
      hostProblem: null,
      peers: [{ name: 'k2', address: '192.0.2.2', state: 'up', rttMicros: 240 }],
      store: { kind: 'embedded', connected: true, since: '2026-01-01T00:00:00.000Z', reason: null },
      pods: 2,
      restoredFlows: 3,
      networks: 1,
      mtu: 1500,
      nodeIPs: ['10.244.0.2'],
      dns: {
        domain: 'cluster.local',
        addresses: ['10.244.0.1', '10.96.0.10'],
        listening: ['10.244.0.2:40053'],
        upstreams: [{ address: '192.0.2.53:53', state: 'down' }],
        problem: null,
        questions: 3,
        malformed: 0,
        ignored: 0,
        rateDropped: 0,
        servfail: 1,
      },
      version: '0.1.0',
      pid: 7,
      uptimeSeconds: 65,
    };
    const { socket } = await fakeApi({ 'GET /v1/status': { body: status } });
    const { out } = await podwire('status', '--socket', socket);
    expect(out).toContain('Packet I/O:         io_uring (the kernel has it)\n');
    expect(out).toContain('Underlay address:   none\n');
    expect(out).toContain(
      'DNS:                cluster.local at 10.244.0.1, 10.96.0.10, by 10.244.0.2:40053\n',
    );
    expect(out).toContain('Name servers:       192.0.2.53:53 down\n');
    expect(out).toContain('Running:            version 0.1.0, process 7, for 65s\n');
    expect(JSON.parse((await podwire('status', '-o', 'json', '--socket', socket)).out)).toEqual(status);
  });

  it('finds the socket through the environment', async () => {
    const { socket } = await fakeApi({ 'GET /v1/drops': { body: { total: 0, drops: [], rules: [] } } });
    process.env.PODWIRE_SOCKET = socket;
    const { out } = await podwire('drops').finally(() => delete process.env.PODWIRE_SOCKET);
    expect(out).toBe('no drops\n');
  });
});
