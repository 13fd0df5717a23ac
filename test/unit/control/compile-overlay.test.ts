import { describe, expect, it } from 'vitest';
import { compile } from '../../../src/control/compile.js';
import { macOf } from '../../../src/control/mac.js';
import type { Plan, PlannedMember, PlannedNetwork } from '../../../src/control/plan.js';
import { PEER_EGRESS } from '../../../src/dataplane/constants.js';
import { compileTables, Tables } from '../../../src/dataplane/tables.js';
import { parseIpv4, parseMac } from '../../../src/wire/address.js';

const home: PlannedNetwork = {
  name: 'default',
  mode: 'routed',
  sourceGuard: true,
  routeTable: 1,
  domains: [{ id: 0, cidrs: ['10.244.0.0/24'], gateways: ['10.244.0.1'] }],
};

function overlay(members: readonly PlannedMember[]): PlannedNetwork {
  return {
    name: 'red',
    mode: 'overlay',
    sourceGuard: true,
    routeTable: 2,
    domains: [{ id: 1, cidrs: ['10.80.0.0/24'], gateways: ['10.80.0.1'] }],
    vni: 77,
    members,
  };
}

function peer(id: number, name: string, live: boolean) {
  const mac = `02:72:00:00:00:0${id}`;
  const address = `192.168.77.${id + 2}`;
  return { id, name, address, port: 4789, mac, prefixes: [`10.244.${id + 1}.0/24`], mtu: 1450, live };
}

const pod = {
  id: 1,
  name: 'x/own',
  network: 'red',
  domain: 0,
  mac: macOf(['10.80.0.2']),
  ips: ['10.80.0.2'],
  mtu: 1450,
};

function plan(members: readonly PlannedMember[], withCluster = true): Plan {
  const tunnel = { port: 9, mac: '02:72:00:00:00:99', vni: 1, mtu: 1450 };
  const peers = [peer(0, 'b', true), peer(1, 'c', true), peer(2, 'dead', false)];
  const networks = [home, overlay(members)];
  const base = { generation: 1, networks, node: undefined, pods: [pod] };
  return withCluster ? { ...base, cluster: { tunnel, peers } } : base;
}

function member(address: string, node: string, mac = macOf([address])): PlannedMember {
  return { address, mac, node };
}

const red = (members: readonly PlannedMember[]) => {
  const snapshot = compile(plan(members));
  const tables = Tables.from(compileTables(snapshot));
  const domain = snapshot.domains.find(({ name }) => name === 'red');
  const foreign = snapshot.neighbours.flatMap((neighbour) => ('peer' in neighbour ? [neighbour] : []));
  return { tables, domain, foreign };
};

describe('compile of an overlay', () => {
  it('leads to the members of other nodes, and floods to those nodes only', () => {
    const { tables, domain, foreign } = red([
      member('10.80.0.3', 'b'),
      member('10.80.0.4', 'b'),
      member('10.80.0.5', 'c'),
    ]);
    expect(domain).toMatchObject({ vni: 77, peers: [0, 1] });
    expect(foreign.map(({ address, peer: id }) => [address, id])).toEqual([
      ['10.80.0.3', 0],
      ['10.80.0.4', 0],
      ['10.80.0.5', 1],
    ]);
    const { hi, lo } = parseMac(macOf(['10.80.0.5']));
    expect(tables.fdb.lookup(1, hi, lo)).toBe(PEER_EGRESS + 1);
    expect(tables.neighbours.lookup4(1, parseIpv4('10.80.0.4') | 0)).toBeGreaterThanOrEqual(0);
    expect(tables.vnis.find(77)).toBe(1);
    expect(tables.vnis.find(1)).toBe(tables.tunnel.domain);
  });

  it('leaves members out whose node is not live or not known', () => {
    const { domain, foreign } = red([member('10.80.0.3', 'dead'), member('10.80.0.4', 'nobody')]);
    expect(foreign).toEqual([]);
    expect(domain?.peers).toEqual([]);
  });

  it.each([
    ['an address of ours', member('10.80.0.2', 'b', '02:70:00:00:00:42')],
    ['a MAC of ours', member('10.80.0.7', 'b', pod.mac)],
    ['the gateway’s address', member('10.80.0.1', 'b', '02:70:00:00:00:42')],
    ['the gateway’s MAC', member('10.80.0.7', 'b', macOf(['10.80.0.1']))],
    ['an address outside of the network', member('10.244.0.9', 'b')],
  ])('does not believe a node that claims %s', (_, wrong) => {
    const { foreign } = red([wrong, member('10.80.0.3', 'b')]);
    expect(foreign.map(({ address }) => address)).toEqual(['10.80.0.3']);
  });

  it('takes a MAC that two nodes claim for that of one of them', () => {
    const { tables } = red([
      member('10.80.0.3', 'b', macOf(['10.80.0.3'])),
      member('10.80.0.4', 'c', macOf(['10.80.0.3'])),
    ]);
    const { hi, lo } = parseMac(macOf(['10.80.0.3']));
    expect([PEER_EGRESS, PEER_EGRESS + 1]).toContain(tables.fdb.lookup(1, hi, lo));
  });

  it('has no VNI on a node without a tunnel', () => {
    const snapshot = compile(plan([member('10.80.0.3', 'b')], false));
    expect(snapshot.domains.every(({ vni }) => vni === undefined)).toBe(true);
    compileTables(snapshot);
  });
});
