/** What the host's kernel is to send to the switch, and where to. */
import { describe, expect, it } from 'vitest';
import { noElements } from '../../../../src/control/host/nft-elements.js';
import { Exposure } from '../../../../src/control/services/exposure.js';
import { ExternalPorts } from '../../../../src/control/services/external-ports.js';
import {
  type FrontendSpec,
  NODE_FRONTEND,
  type ServiceSpec,
} from '../../../../src/dataplane/service-spec.js';

function service(id: number, ...frontends: FrontendSpec[]): ServiceSpec {
  return { id, name: `default/s${id}:http`, family: 'IPv4', protocol: 'TCP', frontends, backends: [] };
}

function at(address: string, port: number): FrontendSpec {
  return { address, port, scope: 'cluster' };
}

function bench() {
  const elements = noElements();
  const told = { changed: 0, opened: [] as string[], full: [] as string[] };
  const exposure = new Exposure({
    elements,
    externalFrontends: ['10.96.255.253', 'fd00:10:96::fffe'],
    isInside: (address) => address.startsWith('10.96.') || address.startsWith('10.244.'),
    opened: (protocol, port, name) => told.opened.push(`${name} ${protocol} ${port}`),
    changed: () => told.changed++,
    full: (name) => told.full.push(name),
  });
  return { elements, exposure, told };
}

describe('the way in from the host', () => {
  it('asks nothing of the kernel for addresses of the service prefixes', () => {
    const { exposure, told } = bench();
    const changes = { removed: [], changed: [service(1, at('10.96.0.5', 80), at('10.244.0.1', 53))] };
    expect(exposure.apply(changes)).toEqual(changes);
    expect(told.changed).toBe(0);
  });

  it('opens a node port of the family, and closes it with its last service', () => {
    const { elements, exposure, told } = bench();
    const first = service(1, at(NODE_FRONTEND, 30_080));
    const changes = { removed: [], changed: [first, service(2, at(NODE_FRONTEND, 30_080))] };
    expect(exposure.apply(changes)).toEqual(changes);
    expect(elements.node_ports4.takeAll()).toEqual(['tcp . 30080']);
    expect(elements.node_ports6.size).toBe(0);
    expect(told.opened).toEqual(['default/s1:http TCP 30080']);
    exposure.apply({ removed: [1], changed: [] });
    expect(elements.node_ports4.takeChanges()).toEqual([]);
    exposure.apply({ removed: [2], changed: [] });
    expect(elements.node_ports4.size).toBe(0);
    expect(told.changed).toBe(3);
  });

  it('gives each external address and port a port of its own, the same where it can, and keeps it', () => {
    const { elements, exposure } = bench();
    const first = service(1, at('192.0.2.1', 80), at('10.96.0.5', 80));
    const second = service(2, at('192.0.2.2', 80));
    const { changed } = exposure.apply({ removed: [], changed: [first, second] });
    expect(changed[0].frontends).toEqual([...first.frontends, at('10.96.255.253', 80)]);
    const other = changed[1].frontends[1];
    expect(other).toEqual({ address: '10.96.255.253', port: other.port, scope: 'cluster' });
    expect(other.port).not.toBe(80);
    // The first goes; the second, told again, stays where it was.
    const again = exposure.apply({ removed: [1], changed: [{ ...second, affinitySeconds: 5 }] });
    expect(again.changed[0].frontends[1]).toEqual(other);
    expect(elements.addresses4.takeAll()).toEqual([`192.0.2.2 . tcp . 80 : 10.96.255.253 . ${other.port}`]);
  });

  it('keeps protocols and families apart', () => {
    const { elements, exposure } = bench();
    const udp: ServiceSpec = { ...service(2, at('192.0.2.1', 53)), protocol: 'UDP' };
    const six: ServiceSpec = { ...service(3, at('2001:db8::1', 53)), family: 'IPv6' };
    exposure.apply({ removed: [], changed: [service(1, at('192.0.2.1', 53)), udp, six] });
    expect(elements.addresses4.takeAll()).toEqual([
      '192.0.2.1 . tcp . 53 : 10.96.255.253 . 53',
      '192.0.2.1 . udp . 53 : 10.96.255.253 . 53',
    ]);
    expect(elements.addresses6.takeAll()).toEqual(['2001:db8::1 . tcp . 53 : fd00:10:96::fffe . 53']);
  });

  it('lets a number in both lists be the new service', () => {
    const { elements, exposure } = bench();
    exposure.apply({ removed: [], changed: [service(1, at('192.0.2.1', 80), at(NODE_FRONTEND, 30_001))] });
    exposure.apply({ removed: [1], changed: [service(1, at('192.0.2.9', 80), at(NODE_FRONTEND, 30_002))] });
    expect(elements.node_ports4.takeAll()).toEqual(['tcp . 30002']);
    expect(elements.addresses4.takeAll()).toEqual([expect.stringMatching(/^192\.0\.2\.9 \. tcp \. 80 : /)]);
  });

  it('says where there is no port left, and takes it when there is one again', () => {
    const ports = new ExternalPorts();
    for (let n = 1; n <= 65_535; n++) expect(ports.take('4 tcp', `${n}`, 80)).toBeDefined();
    expect(ports.take('4 tcp', 'one more', 80)).toBeUndefined();
    expect(ports.take('4 udp', 'one more', 80)).toBe(80);
    const freed = ports.take('4 tcp', '7', 80);
    ports.release('7');
    expect(ports.take('4 tcp', 'another', 80)).toBe(freed);
  });
});
