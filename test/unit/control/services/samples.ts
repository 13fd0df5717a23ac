/** Services, slices and pods as tests want them, parsed as the API would. */
import { parseEndpointSlice } from '../../../../src/control/model/endpoint-slice.js';
import { parseService } from '../../../../src/control/model/service.js';
import type { EndpointSlice, Service, ServicePod } from '../../../../src/control/services/types.js';

/** With the families and addresses that allocation would give it. */
export function service(spec: Record<string, unknown> = {}, name = 'web'): Service {
  return parseService({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop' },
    spec: {
      ports: [{ port: 80, targetPort: 8080 }],
      clusterIPs: ['10.96.0.7'],
      ipFamilies: ['IPv4'],
      ...spec,
    },
  });
}

export function slice(
  endpoints: unknown[],
  ports: unknown[] = [{ port: 8080 }],
  more: { name?: string; of?: string; family?: string; manager?: string } = {},
): EndpointSlice {
  const { name = 'web-1', of = 'web', family = 'IPv4', manager } = more;
  return parseEndpointSlice({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace: 'shop',
      labels: {
        'kubernetes.io/service-name': of,
        ...(manager !== undefined && { 'endpointslice.kubernetes.io/managed-by': manager }),
      },
    },
    addressType: family,
    endpoints,
    ports,
  });
}

export function pod(name: string, ip: string, more: Partial<ServicePod> = {}): ServicePod {
  return {
    namespace: 'shop',
    name,
    labels: { app: 'web' },
    ips: [ip],
    node: 'n1',
    ready: true,
    terminating: false,
    ports: [],
    ...more,
  };
}
