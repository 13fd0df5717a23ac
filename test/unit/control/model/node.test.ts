import { describe, expect, it } from 'vitest';
import { parseNode } from '../../../../src/control/model/node.js';
import { refusal } from '../support.js';

const NODE = {
  apiVersion: 'podwire.dev/v1',
  kind: 'Node',
  metadata: { name: 'k3' },
  spec: {
    podCIDRs: ['10.244.9.0/24'],
    underlay: { address: '192.168.77.3', port: 4789 },
    vtepMAC: '02:00:00:00:09:00',
  },
};

function withSpec(spec: Record<string, unknown>): unknown {
  return { ...NODE, spec: { ...NODE.spec, ...spec } };
}

describe('parseNode', () => {
  it('accepts the manifest of the documentation', () => {
    expect(parseNode(NODE)).toEqual(NODE);
  });

  it('brings prefixes, addresses and the MAC address into their one form, and fills in the port', () => {
    const { spec } = parseNode(
      withSpec({
        podCIDRs: ['FD00:10:244:0009::/64', '10.244.9.0/24'],
        underlay: { address: 'FD00:0::3' },
        vtepMAC: '02:AA:00:00:09:00',
      }),
    );
    expect(spec).toEqual({
      podCIDRs: ['10.244.9.0/24', 'fd00:10:244:9::/64'],
      underlay: { address: 'fd00::3', port: 4789 },
      vtepMAC: '02:aa:00:00:09:00',
    });
  });

  it('leaves status out', () => {
    expect(parseNode({ ...NODE, status: { state: 'up' } })).toEqual(NODE);
  });

  it.each([
    [{ ...NODE, kind: 'Nod' }, 'INVALID kind'],
    [{ ...NODE, metadata: { name: 'K_3' } }, 'INVALID metadata.name'],
    [{ ...NODE, color: 1 }, 'INVALID color'],
    [withSpec({ vni: 1 }), 'INVALID spec.vni'],
    [withSpec({ podCIDRs: undefined }), 'INVALID spec.podCIDRs'],
    [withSpec({ podCIDRs: [] }), 'INVALID spec.podCIDRs'],
    [withSpec({ podCIDRs: ['10.244.9.1/24'] }), 'INVALID spec.podCIDRs[0]'],
    [withSpec({ podCIDRs: ['10.244.9.0/24', '10.244.0.0/16'] }), 'INVALID spec.podCIDRs[1]'],
    [withSpec({ podCIDRs: ['127.0.0.0/8'] }), 'INVALID spec.podCIDRs[0]'],
    [withSpec({ underlay: undefined }), 'INVALID spec.underlay'],
    [withSpec({ underlay: {} }), 'INVALID spec.underlay.address'],
    [withSpec({ underlay: { address: 'k3' } }), 'INVALID spec.underlay.address'],
    [withSpec({ underlay: { address: '224.0.0.1' } }), 'INVALID spec.underlay.address'],
    [withSpec({ underlay: { address: '127.0.0.1' } }), 'INVALID spec.underlay.address'],
    [withSpec({ underlay: { address: '0.0.0.0' } }), 'INVALID spec.underlay.address'],
    [withSpec({ underlay: { address: 'fe80::1' } }), 'INVALID spec.underlay.address'],
    [withSpec({ underlay: { address: 'ff02::1' } }), 'INVALID spec.underlay.address'],
    [withSpec({ underlay: { address: '192.0.2.1', port: 0 } }), 'INVALID spec.underlay.port'],
    [withSpec({ underlay: { address: '192.0.2.1', port: 65_536 } }), 'INVALID spec.underlay.port'],
    [withSpec({ underlay: { address: '192.0.2.1', host: 'x' } }), 'INVALID spec.underlay.host'],
    [withSpec({ vtepMAC: undefined }), 'INVALID spec.vtepMAC'],
    [withSpec({ vtepMAC: '02:00:00:00:09' }), 'INVALID spec.vtepMAC'],
    [withSpec({ vtepMAC: '01:00:5e:00:00:01' }), 'INVALID spec.vtepMAC'],
    [withSpec({ vtepMAC: 'ff:ff:ff:ff:ff:ff' }), 'INVALID spec.vtepMAC'],
    [withSpec({ vtepMAC: '00:00:00:00:00:00' }), 'INVALID spec.vtepMAC'],
  ])('%j: %s', (document, expected) => {
    expect(refusal(() => parseNode(JSON.parse(JSON.stringify(document))))).toBe(expected);
  });
});
