import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { isForeign, parseService } from '../../../../src/control/model/service.js';
import type { Service } from '../../../../src/control/services/types.js';
import { refusal } from '../support.js';

/** As `kubectl get service web -o yaml` writes it. */
const KUBERNETES_SERVICE = parse(`
apiVersion: v1
kind: Service
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: "{}"
  creationTimestamp: "2024-05-01T10:00:00Z"
  finalizers: [service.kubernetes.io/load-balancer-cleanup]
  labels: { app: web }
  managedFields: [{ manager: kubectl, operation: Apply, fieldsType: FieldsV1, fieldsV1: { "f:spec": {} } }]
  name: web
  namespace: shop
  resourceVersion: "1234"
  uid: 0c5d4d2a-3f5e-4d3b-9a0e-0d6c1c7b2f11
spec:
  allocateLoadBalancerNodePorts: true
  clusterIP: 10.96.4.7
  clusterIPs: [10.96.4.7, "FD00:10:96:0::4:7"]
  externalTrafficPolicy: Local
  healthCheckNodePort: 31234
  internalTrafficPolicy: Cluster
  ipFamilies: [IPv4, IPv6]
  ipFamilyPolicy: PreferDualStack
  ports:
  - { name: http, nodePort: 30080, port: 80, protocol: TCP, targetPort: http, appProtocol: kubernetes.io/h2c }
  - { name: dns, nodePort: 30053, port: 53, protocol: UDP, targetPort: 5353 }
  selector: { app: web }
  sessionAffinity: ClientIP
  sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } }
  type: LoadBalancer
status:
  loadBalancer: { ingress: [{ ip: 192.0.2.7, ipMode: VIP }] }
`);

function service(spec: Record<string, unknown>, more: Record<string, unknown> = {}): unknown {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { ports: [{ port: 80 }], ...spec },
    ...more,
  };
}

function annotated(annotations: Record<string, string>, spec: Record<string, unknown> = {}): unknown {
  return service(spec, { metadata: { name: 'web', annotations } });
}

const LB = { type: 'LoadBalancer' };

describe('parseService', () => {
  it('takes what kubectl prints as it is, addresses in their one form', () => {
    const expected = structuredClone(KUBERNETES_SERVICE);
    expected.spec.clusterIPs[1] = 'fd00:10:96::4:7';
    expect(parseService(KUBERNETES_SERVICE)).toEqual(expected);
    expect(parseService(parseService(KUBERNETES_SERVICE))).toEqual(expected);
  });

  it('fills in what Kubernetes’ API server does', () => {
    const { spec, status } = parseService(
      service({ ports: [{ port: 80 }] }, { status: { loadBalancer: {} } }),
    );
    expect(spec).toEqual({
      type: 'ClusterIP',
      ports: [{ protocol: 'TCP', port: 80, targetPort: 80 }],
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
    });
    expect(status).toBeUndefined();
    expect(parseService(service(LB)).spec).toMatchObject({
      externalTrafficPolicy: 'Cluster',
      allocateLoadBalancerNodePorts: true,
    });
    expect(parseService(service({ externalIPs: ['192.0.2.1'] })).spec.externalTrafficPolicy).toBe('Cluster');
    expect(parseService(service({ sessionAffinity: 'ClientIP' })).spec.sessionAffinityConfig).toEqual({
      clientIP: { timeoutSeconds: 10_800 },
    });
  });

  it('takes nulls, empty texts and zeros for fields left out, as Go writes them', () => {
    const empty = service({
      clusterIP: '',
      loadBalancerIP: '',
      externalTrafficPolicy: '',
      selector: null,
      healthCheckNodePort: 0,
      ports: [{ port: 80, targetPort: 0, nodePort: 0, name: '', appProtocol: null }],
    });
    expect(parseService(empty)).toEqual(parseService(service({})));
  });

  it('takes headless services and names of elsewhere', () => {
    const headless = { clusterIP: 'None', ports: undefined };
    expect(parseService(service(headless)).spec).toMatchObject({ clusterIP: 'None', clusterIPs: ['None'] });
    const both = service({ ...headless, ipFamilies: ['IPv4', 'IPv6'] });
    expect(parseService(both).spec.ipFamilies).toEqual(['IPv4', 'IPv6']);
    const name = service({ type: 'ExternalName', externalName: 'DB.example.com.', ports: undefined });
    expect(parseService(name).spec).toEqual({
      type: 'ExternalName',
      sessionAffinity: 'None',
      externalName: 'db.example.com',
    });
  });

  it('takes one port number of two protocols, and one node port of two', () => {
    const ports = [
      { name: 'dns', port: 53, protocol: 'UDP', nodePort: 30053 },
      { name: 'dns-tcp', port: 53, protocol: 'TCP', nodePort: 30053 },
    ];
    expect(parseService(service({ type: 'NodePort', ports })).spec.ports).toHaveLength(2);
  });

  it.each([
    [service({}, { metadata: { name: '7web' } }), 'INVALID metadata.name'],
    [service({ porst: [] }), 'INVALID spec.porst'],
    [service({ type: 'Loadbalancer' }), 'INVALID spec.type'],
    [service({ ports: [] }), 'INVALID spec.ports'],
    [service({ ports: [{ port: 0 }] }), 'INVALID spec.ports[0].port'],
    [service({ ports: [{ port: 80, protocol: 'ICMP' }] }), 'INVALID spec.ports[0].protocol'],
    [service({ ports: [{ port: 80 }, { port: 81, name: 'b' }] }), 'INVALID spec.ports[0].name'],
    [
      service({
        ports: [
          { port: 80, name: 'a' },
          { port: 81, name: 'a' },
        ],
      }),
      'INVALID spec.ports[1].name',
    ],
    [
      service({
        ports: [
          { port: 80, name: 'a' },
          { port: 80, name: 'b' },
        ],
      }),
      'INVALID spec.ports[1].port',
    ],
    [service({ ports: [{ port: 80, name: 'A' }] }), 'INVALID spec.ports[0].name'],
    [
      service({ ports: [{ port: 80, targetPort: 'far-too-long-a-name' }] }),
      'INVALID spec.ports[0].targetPort',
    ],
    [service({ ports: [{ port: 80, targetPort: '8080' }] }), 'INVALID spec.ports[0].targetPort'],
    [service({ ports: [{ port: 80, targetPort: 70_000 }] }), 'INVALID spec.ports[0].targetPort'],
    [service({ ports: [{ port: 80, nodePort: 30_000 }] }), 'INVALID spec.ports[0].nodePort'],
    [service({ ports: [{ port: 80, appProtocol: 'a b' }] }), 'INVALID spec.ports[0].appProtocol'],
    [service({ selector: { 'a b': 'c' } }), 'INVALID spec.selector'],
    [service({ clusterIP: '10.96.0.300' }), 'INVALID spec.clusterIP'],
    [service({ clusterIP: '10.96.0.3', clusterIPs: ['10.96.0.4'] }), 'INVALID spec.clusterIPs[0]'],
    [
      service({ clusterIPs: ['10.96.0.3', '10.96.0.4'], ipFamilyPolicy: 'PreferDualStack' }),
      'INVALID spec.clusterIPs',
    ],
    [service({ clusterIPs: ['10.96.0.3', 'fd00::1'] }), 'INVALID spec.ipFamilyPolicy'],
    [service({ clusterIPs: ['10.96.0.3', 'None'] }), 'INVALID spec.clusterIPs'],
    [service({ ipFamilies: ['IPv4', 'IPv6'] }), 'INVALID spec.ipFamilyPolicy'],
    [service({ ipFamilies: ['IPv4', 'IPv4'] }), 'INVALID spec.ipFamilies[1]'],
    [service({ clusterIP: 'fd00::1', ipFamilies: ['IPv4'] }), 'INVALID spec.clusterIPs[0]'],
    [service({ ...LB, clusterIP: 'None' }), 'INVALID spec.clusterIP'],
    [service({ externalName: 'a.example.com' }), 'INVALID spec.externalName'],
    [service({ type: 'ExternalName' }), 'INVALID spec.externalName'],
    [service({ type: 'ExternalName', externalName: 'a_b' }), 'INVALID spec.externalName'],
    [
      service({ type: 'ExternalName', externalName: 'a.b', clusterIP: '10.96.0.3' }),
      'INVALID spec.clusterIPs',
    ],
    [service({ externalIPs: ['127.0.0.1'] }), 'INVALID spec.externalIPs[0]'],
    [service({ externalIPs: ['fe80::1'] }), 'INVALID spec.externalIPs[0]'],
    [service({ externalIPs: ['224.0.0.9'] }), 'INVALID spec.externalIPs[0]'],
    [service({ externalTrafficPolicy: 'Local' }), 'INVALID spec.externalTrafficPolicy'],
    [service({ ...LB, healthCheckNodePort: 30_001 }), 'INVALID spec.healthCheckNodePort'],
    [service({ type: 'NodePort', loadBalancerIP: '192.0.2.1' }), 'INVALID spec.loadBalancerIP'],
    [service({ loadBalancerClass: 'x' }), 'INVALID spec.loadBalancerClass'],
    [service({ ...LB, loadBalancerClass: 'a b' }), 'INVALID spec.loadBalancerClass'],
    [service({ sessionAffinityConfig: { clientIP: {} } }), 'INVALID spec.sessionAffinityConfig'],
    [
      service({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 0 } } }),
      'INVALID spec.sessionAffinityConfig.clientIP.timeoutSeconds',
    ],
    [service({ trafficDistribution: 'Far' }), 'INVALID spec.trafficDistribution'],
    [
      service(LB, { status: { loadBalancer: { ingress: [{ ip: '::1' }] } } }),
      'INVALID status.loadBalancer.ingress[0].ip',
    ],
    [
      service({ ...LB, loadBalancerSourceRanges: ['10.0.0.0/8'] }),
      'UNSUPPORTED spec.loadBalancerSourceRanges',
    ],
    [
      annotated({ 'service.beta.kubernetes.io/load-balancer-source-ranges': '10.0.0.0/8' }),
      'UNSUPPORTED metadata.annotations["service.beta.kubernetes.io/load-balancer-source-ranges"]',
    ],
    [
      annotated({ 'service.kubernetes.io/topology-mode': 'Auto' }, { selector: { app: 'web' } }),
      'UNSUPPORTED metadata.annotations["service.kubernetes.io/topology-mode"]',
    ],
    [annotated({ 'service.kubernetes.io/topology-mode': 'Auto' }), 'accepted'],
    [annotated({ 'podwire.dev/on-endpoint-removal': 'drain' }), 'accepted'],
    [annotated({ 'podwire.dev/on-endpoint-removal': 'reset' }), 'accepted'],
    [
      annotated({ 'podwire.dev/on-endpoint-removal': 'keep' }),
      'INVALID metadata.annotations["podwire.dev/on-endpoint-removal"]',
    ],
    [service({ ...LB, loadBalancerSourceRanges: [] }), 'accepted'],
  ])('%j: %s', (value, expected) => {
    expect(refusal(() => parseService(value))).toBe(expected);
  });
});

describe('isForeign', () => {
  it('is a service that names another proxy', () => {
    const given = parseService(service({}));
    const label = { 'service.kubernetes.io/service-proxy-name': 'cloud' };
    expect(isForeign(given)).toBe(false);
    expect(isForeign({ ...given, metadata: { name: 'web', labels: label } } satisfies Service)).toBe(true);
  });
});
