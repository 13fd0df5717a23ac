/** So many services of five endpoints each: as manifests, and as the data plane has them. */
import type { Here } from '../../src/control/services/endpoints.js';
import { ServicePlan } from '../../src/control/services/plan.js';
import type { EndpointSlice, Service } from '../../src/control/services/types.js';

export const SCALE_SERVICES = 'scale.services';
export const ENDPOINTS_EACH = 5;
const HERE: Here = { node: 'n1' };
const NAMESPACE = 'bench';
const PORT = 8080;

/** 10.96.0.1 and on; a word. */
export function addressOf(service: number): number {
  return (0x0a600001 + service) | 0;
}

export function planOf(services: number): ServicePlan {
  const plan = new ServicePlan(HERE);
  for (let service = 0; service < services; service++) {
    plan.setService(manifestOf(service));
    plan.setSlice(sliceOf(service));
  }
  return plan;
}

/** @param unready the endpoint that is not ready, if any */
export function sliceOf(service: number, unready = -1): EndpointSlice {
  const labels = { 'kubernetes.io/service-name': nameOf(service) };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: NAMESPACE, name: `${nameOf(service)}-1`, labels },
    addressType: 'IPv4',
    endpoints: Array.from({ length: ENDPOINTS_EACH }, (_, index) => ({
      addresses: [text(0x0b000000 + service * ENDPOINTS_EACH + index)],
      nodeName: `n${index}`,
      conditions: { ready: index !== unready, serving: index !== unready, terminating: false },
    })),
    ports: [{ name: 'http', port: PORT, protocol: 'TCP' }],
  };
}

function manifestOf(service: number): Service {
  const ip = text(addressOf(service));
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: NAMESPACE, name: nameOf(service) },
    spec: {
      type: 'ClusterIP',
      clusterIP: ip,
      clusterIPs: [ip],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: PORT }],
    },
  } as Service;
}

function nameOf(service: number): string {
  return `service-${service}`;
}

function text(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}
