/** Which pods and nodes policies hear of, and where these are. */
import { describe, expect, it } from 'vitest';
import type { OverlayMember } from '../../../../src/control/cluster/overlay-member.js';
import { parsePod } from '../../../../src/control/model/pod.js';
import { OtherPolicyPods } from '../../../../src/control/policies/other-policy-pods.js';
import { OwnPolicyPods } from '../../../../src/control/policies/own-policy-pods.js';
import { policyNodes } from '../../../../src/control/policies/policy-nodes.js';
import type { PolicyPod } from '../../../../src/control/policies/types.js';
import type { AttachmentRecord, PodRecord } from '../../../../src/control/records.js';

function listener() {
  const told: (PolicyPod | string)[] = [];
  const policies = {
    setPod: (pod: PolicyPod) => void told.push(pod),
    removePod: (key: string) => void told.push(key),
  };
  return { told, policies };
}

function record(labels: Record<string, string>, ...ports: string[]): PodRecord {
  const containers = [{ ports: [{ name: 'http', containerPort: 80 }] }];
  const pod = parsePod({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', labels },
    spec: { containers },
  });
  const attachments = ports.map(
    (port, index) =>
      ({ port, network: `net${index}`, ips: [`10.0.${index}.5`] }) as unknown as AttachmentRecord,
  );
  return { pod, applied: true, attachments };
}

describe('this node’s pods', () => {
  function world() {
    const { told, policies } = listener();
    const records = new Map<string, PodRecord>();
    const ports = new Map<string, number>();
    const own = new OwnPolicyPods({
      node: 'n1',
      records: () => records,
      portOf: ({ port }) => ports.get(port),
      policies,
    });
    return { told, records, ports, own };
  }

  it('are told with all interfaces that have a port, labels and names of ports, and once', () => {
    const { told, records, ports, own } = world();
    records.set('a/web', record({ app: 'web' }, 'x', 'y', 'z'));
    ports.set('x', 3).set('z', 4);
    own.refresh();
    own.refresh();
    expect(told).toEqual([
      {
        namespace: 'a',
        name: 'web',
        node: 'n1',
        labels: { app: 'web' },
        ports: [{ name: 'http', protocol: 'TCP', port: 80 }],
        interfaces: [
          { network: 'net0', ips: ['10.0.0.5'], port: 3 },
          { network: 'net2', ips: ['10.0.2.5'], port: 4 },
        ],
      },
    ]);
  });

  it('are gone when no interface is left, and others with other labels or ports', () => {
    const { told, records, ports, own } = world();
    records.set('a/web', record({}, 'x'));
    ports.set('x', 3);
    own.refresh();
    records.set('a/web', record({ app: 'new' }, 'x'));
    own.refresh();
    ports.set('x', 9);
    own.refresh();
    ports.clear();
    own.refresh();
    expect(told.slice(1)).toMatchObject([
      { labels: { app: 'new' } },
      { interfaces: [{ port: 9 }] },
      'a/web@n1',
    ]);
  });

  it('are told while they are attached, and taken back where that fails', () => {
    const { told, ports, own } = world();
    ports.set('x', 3);
    own.expect('a/web', record({ app: 'web' }, 'x'));
    expect(told).toMatchObject([{ name: 'web' }]);
    own.arrived('a/web');
    expect(told[1]).toBe('a/web@n1');
  });
});

describe('pods of other nodes', () => {
  const SERVICE_POD = {
    ...{ namespace: 'a', name: 'db', node: 'n2', labels: { app: 'db' }, ports: [] },
    ...{ ready: true, terminating: false },
  };

  it('are at their addresses and their claims in overlays, never at a node’s', () => {
    const { told, policies } = listener();
    const members: OverlayMember[] = [];
    const others = new OtherPolicyPods({
      members: () => members,
      isNodeAddress: (address) => address === '192.0.2.2',
      policies,
    });
    others.setPod({ ...SERVICE_POD, ips: ['10.244.1.5', '192.0.2.2'] });
    const claim = { network: 'blue', mac: '02:00:00:00:00:01', uid: 'u', pod: 'a/db' };
    members.push({ ...claim, address: '10.77.0.3', node: 'n2' });
    members.push({ ...claim, address: '10.77.0.4', node: 'n3' });
    others.refresh();
    others.setPod({ ...SERVICE_POD, ips: ['192.0.2.2'] });
    members.length = 0;
    others.refresh();
    others.removePod('a/db@n2');
    const blue = { network: 'blue', ips: ['10.77.0.3'] };
    const home = { network: 'default', ips: ['10.244.1.5'] };
    expect(told).toMatchObject([
      { name: 'db', labels: { app: 'db' }, interfaces: [home] },
      { interfaces: [home, blue] },
      { interfaces: [blue] },
      'a/db@n2',
      'a/db@n2',
    ]);
  });
});

describe('nodes', () => {
  it('are at their underlay, podwire0 and gateways; this one wherever its kernel answers', () => {
    const node = (name: string, number: number) => ({
      apiVersion: 'podwire.dev/v1' as const,
      kind: 'Node' as const,
      metadata: { name, labels: { zone: `z${number}` } },
      spec: {
        podCIDRs: [`10.244.${number}.0/24`, `fd00:${number}::/64`],
        underlay: { address: `192.0.2.${number}` },
      },
    });
    const self = { name: 'n1', podCidrs: ['10.244.1.0/24'], addresses: ['10.244.1.2', '198.51.100.1'] };
    expect(policyNodes([node('n1', 1), node('n2', 2)], self)).toEqual([
      { name: 'n1', labels: { zone: 'z1' }, addresses: ['10.244.1.2', '198.51.100.1', '10.244.1.1'] },
      {
        name: 'n2',
        labels: { zone: 'z2' },
        addresses: ['192.0.2.2', '10.244.2.1', 'fd00:2::1', '10.244.2.2', 'fd00:2::2'],
      },
    ]);
  });
});
