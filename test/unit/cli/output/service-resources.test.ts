import { describe, expect, it } from 'vitest';
import {
  NAMESPACE_COLUMNS,
  SERVICE_COLUMNS,
  SLICE_COLUMNS,
} from '../../../../src/cli/output/service-resources.js';
import { type Column, renderTable } from '../../../../src/cli/output/table.js';
import { parseEndpointSlice } from '../../../../src/control/model/endpoint-slice.js';
import { parseService } from '../../../../src/control/model/service.js';

function service(name: string, spec: Record<string, unknown>, status?: unknown) {
  return parseService({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'shop', creationTimestamp: new Date().toISOString() },
    spec: { ...(spec.type !== 'ExternalName' && { ports: [{ port: 80 }] }), ...spec },
    status,
  });
}

/** Rows without the header, blanks as one. */
function lines<T>(rows: readonly T[], columns: readonly Column<T>[], wide = false): string[] {
  return renderTable(rows, columns, wide)
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) =>
      line
        .trimEnd()
        .replace(/ +/g, ' ')
        .replace(/ \d+s\b/, ' 0s'),
    );
}

describe('the table of services', () => {
  const ip = { clusterIP: '10.96.0.9' };
  const named = { port: 53, protocol: 'UDP', name: 'dns' };
  const ingress = (one: Record<string, string>) => ({ loadBalancer: { ingress: [one] } });
  it.each([
    [ip, undefined, 'ClusterIP 10.96.0.9 <none> 80/TCP 0s'],
    [{ clusterIP: 'None' }, undefined, 'ClusterIP None <none> 80/TCP 0s'],
    [
      { ...ip, externalIPs: ['192.0.2.1', '192.0.2.2'] },
      undefined,
      'ClusterIP 10.96.0.9 192.0.2.1,192.0.2.2 80/TCP 0s',
    ],
    [
      { ...ip, type: 'NodePort', ports: [{ port: 80, name: 'http', nodePort: 30_080 }, named] },
      undefined,
      'NodePort 10.96.0.9 <none> 80:30080/TCP,53/UDP 0s',
    ],
    [{ ...ip, type: 'LoadBalancer' }, undefined, 'LoadBalancer 10.96.0.9 <pending> 80/TCP 0s'],
    [
      { ...ip, type: 'LoadBalancer', loadBalancerIP: '192.0.2.9' },
      undefined,
      'LoadBalancer 10.96.0.9 192.0.2.9 80/TCP 0s',
    ],
    [
      { ...ip, type: 'LoadBalancer', loadBalancerIP: '192.0.2.9', loadBalancerClass: 'example.com/other' },
      undefined,
      'LoadBalancer 10.96.0.9 <pending> 80/TCP 0s',
    ],
    [
      { ...ip, type: 'LoadBalancer' },
      ingress({ hostname: 'lb.example.com' }),
      'LoadBalancer 10.96.0.9 lb.example.com 80/TCP 0s',
    ],
    [
      { type: 'ExternalName', externalName: 'db.example.com' },
      undefined,
      'ExternalName <none> db.example.com <none> 0s',
    ],
  ])('%j', (spec, status, expected) => {
    expect(lines([service('web', spec, status)], SERVICE_COLUMNS)).toEqual([`shop web ${expected}`]);
  });

  it('says by which labels, where it is wide', () => {
    const wide = lines(
      [service('web', { ...ip, selector: { app: 'web', tier: 'x' } })],
      SERVICE_COLUMNS,
      true,
    );
    expect(wide[0]).toContain(' 0s app=web,tier=x 10.96.0.9');
  });
});

describe('the tables of slices and namespaces', () => {
  const slice = (endpoints: unknown[], ports: unknown[]) =>
    parseEndpointSlice({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'web-1', namespace: 'shop' },
      addressType: 'IPv4',
      endpoints,
      ports,
    });

  it('show three and count the rest', () => {
    const five = [1, 2, 3, 4, 5].map((n) => ({ addresses: [`10.244.0.${n}`], conditions: { ready: n > 2 } }));
    expect(lines([slice(five, [{ port: 80 }])], SLICE_COLUMNS, true)).toEqual([
      'shop web-1 IPv4 80 10.244.0.1,10.244.0.2,10.244.0.3 + 2 more... - 3/5 -',
    ]);
    expect(lines([slice([], [])], SLICE_COLUMNS)).toEqual(['shop web-1 IPv4 <unset> <unset> -']);
  });

  it('show that a namespace is there', () => {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } } as const;
    expect(lines([{ ...namespace, status: { phase: 'Active' } }], NAMESPACE_COLUMNS)).toEqual([
      'shop Active -',
    ]);
  });
});
