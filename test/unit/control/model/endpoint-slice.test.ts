import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseEndpointSlice } from '../../../../src/control/model/endpoint-slice.js';
import { parseNamespace } from '../../../../src/control/model/namespace.js';
import { refusal } from '../support.js';

/** As `kubectl get endpointslices -o yaml` writes it. */
const KUBERNETES_SLICE = parse(`
addressType: IPv4
apiVersion: discovery.k8s.io/v1
endpoints:
- addresses: [10.244.1.5]
  conditions: { ready: true, serving: true, terminating: false }
  hints: { forZones: [{ name: zone-a }] }
  nodeName: node-1
  targetRef: { kind: Pod, name: web-1, namespace: shop, uid: 9a }
  zone: zone-a
- addresses: [10.244.2.6]
  hostname: web-2
kind: EndpointSlice
metadata:
  creationTimestamp: "2024-05-01T10:00:00Z"
  generateName: web-
  generation: 4
  labels: { endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io, kubernetes.io/service-name: web }
  name: web-x7k2p
  namespace: shop
  ownerReferences: [{ apiVersion: v1, kind: Service, name: web, uid: 7b }]
ports:
- { name: http, port: 8080, protocol: TCP }
- { name: "", port: null }
`);

function slice(fields: Record<string, unknown>): unknown {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1' },
    addressType: 'IPv4',
    ...fields,
  };
}

function endpoint(fields: Record<string, unknown>): unknown {
  return slice({ endpoints: [{ addresses: ['10.0.0.1'], ...fields }] });
}

describe('parseEndpointSlice', () => {
  it('takes what kubectl prints as it is, and fills in conditions, names and protocols', () => {
    const parsed = parseEndpointSlice(KUBERNETES_SLICE);
    expect(parsed).toEqual({
      ...KUBERNETES_SLICE,
      endpoints: [
        KUBERNETES_SLICE.endpoints[0],
        {
          addresses: ['10.244.2.6'],
          hostname: 'web-2',
          conditions: { ready: true, serving: true, terminating: false },
        },
      ],
      ports: [
        { name: 'http', port: 8080, protocol: 'TCP' },
        { name: '', protocol: 'TCP' },
      ],
    });
    expect(parseEndpointSlice(parsed)).toEqual(parsed);
  });

  it('takes null for no endpoints and no ports', () => {
    const parsed = parseEndpointSlice(slice({ endpoints: null, ports: null }));
    expect(parsed).toMatchObject({ endpoints: [], ports: [] });
  });

  it.each([
    [slice({ addressType: 'FQDN' }), 'UNSUPPORTED addressType'],
    [slice({ addressType: 'IPv5' }), 'INVALID addressType'],
    [slice({ endpoint: [] }), 'INVALID endpoint'],
    [endpoint({ addresses: [] }), 'INVALID endpoints[0].addresses'],
    [endpoint({ addresses: ['10.0.0'] }), 'INVALID endpoints[0].addresses[0]'],
    [endpoint({ addresses: ['10.0.0.1', 'fd00::1'] }), 'INVALID endpoints[0].addresses[1]'],
    [endpoint({ addresses: ['169.254.169.254'] }), 'INVALID endpoints[0].addresses[0]'],
    [endpoint({ addresses: ['127.0.0.1'] }), 'INVALID endpoints[0].addresses[0]'],
    [endpoint({ conditions: { ready: 'yes' } }), 'INVALID endpoints[0].conditions.ready'],
    [endpoint({ hostname: 'a.b' }), 'INVALID endpoints[0].hostname'],
    [
      endpoint({ hints: { forZones: [{ name: 'a' }, { name: 'a' }] } }),
      'INVALID endpoints[0].hints.forZones[1].name',
    ],
    [slice({ ports: [{ port: 80 }, { port: 81 }] }), 'INVALID ports[1].name'],
    [slice({ ports: [{ port: 80, name: 'Web' }] }), 'INVALID ports[0].name'],
    [slice({ ports: [{ port: 0 }] }), 'INVALID ports[0].port'],
    [slice({ endpoints: new Array(1001).fill({ addresses: ['10.0.0.1'] }) }), 'INVALID endpoints'],
  ])('%#: %s', (value, expected) => {
    expect(refusal(() => parseEndpointSlice(value))).toBe(expected);
  });
});

describe('parseNamespace', () => {
  it('takes a manifest of Kubernetes, and gives it the label that every namespace has', () => {
    const manifest = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop', creationTimestamp: null, labels: { team: 'a' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    };
    expect(parseNamespace(manifest)).toEqual({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'shop', labels: { team: 'a', 'kubernetes.io/metadata.name': 'shop' } },
    });
  });

  it.each([
    [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a.b' } }, 'INVALID metadata.name'],
    [{ apiVersion: 'v1', kind: 'Namespace', metadata: {} }, 'INVALID metadata.name'],
    [{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' }, spec: { x: 1 } }, 'INVALID spec.x'],
    [null, 'INVALID body'],
  ])('%j: %s', (value, expected) => {
    expect(refusal(() => parseNamespace(value))).toBe(expected);
  });
});
