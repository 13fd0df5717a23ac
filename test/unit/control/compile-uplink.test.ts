/** A network on an interface of the host, as a snapshot and as tables. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../../src/control/compile.js';
import type { Plan, PlannedNetwork, PlannedPort } from '../../../src/control/plan.js';
import { NO_UPLINK } from '../../../src/dataplane/tables/domain-table.js';
import { GUARD } from '../../../src/dataplane/tables/port-table.js';
import { compileTables, Tables } from '../../../src/dataplane/tables.js';
import { parseMac } from '../../../src/wire/address.js';

const PARENT = '52:54:00:12:34:56';
const LAN: PlannedNetwork = {
  name: 'lan',
  mode: 'bridge',
  sourceGuard: true,
  routeTable: 3,
  domains: [{ id: 4, cidrs: ['192.168.1.0/24'], gateways: [] }],
  uplink: { port: 9, name: 'eth0', mac: PARENT, mtu: 1500 },
};
const POD: PlannedPort = {
  ...{ id: 2, name: 'default/web', network: 'lan', domain: 0, mac: '02:70:c0:a8:01:32' },
  ...{ ips: ['192.168.1.50'], mtu: 1500 },
};

function plan(network: PlannedNetwork): Plan {
  return { generation: 1, networks: [network], node: undefined, pods: [POD] };
}

describe('a network with an uplink', () => {
  it('has its port in the domain, guarded as an uplink is', () => {
    const snapshot = compile(plan(LAN));
    expect(snapshot.ports.map(({ id, addresses, attachment }) => [id, addresses, attachment])).toEqual([
      [2, ['192.168.1.50'], { kind: 'domain', domain: 4 }],
      [9, [], { kind: 'domain', domain: 4 }],
    ]);
    expect(snapshot.domains).toMatchObject([{ id: 4, gateways: [], uplink: 9 }]);
    const { ports, domains } = compileTables(snapshot);
    expect([ports.guard[2], ports.guard[9]]).toEqual([GUARD.OWN, GUARD.UPLINK]);
    expect(domains.uplink[4]).toBe(9);
  });

  it("knows nothing of the host's own address there", () => {
    const tables = Tables.from(compileTables(compile(plan(LAN))));
    const of = (mac: string): number => {
      const { hi, lo } = parseMac(mac);
      return tables.fdb.lookup(4, hi, lo | 0);
    };
    expect([of(POD.mac), of(PARENT)]).toEqual([2, -1]);
    const linkLocal = [0xfe80_0000 | 0, 0, 0x5054_00ff | 0, 0xfe12_3456 | 0] as const;
    expect(tables.neighbours.lookup6(4, ...linkLocal)).toBe(-1);
  });

  it('is a network by itself while the interface is not there', () => {
    const snapshot = compile(plan({ ...LAN, uplink: undefined }));
    expect(snapshot.ports.map(({ id }) => id)).toEqual([2]);
    expect(compileTables(snapshot).domains.uplink[4]).toBe(NO_UPLINK);
  });
});
