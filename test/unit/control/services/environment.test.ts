import { describe, expect, it } from 'vitest';
import { environmentOf } from '../../../../src/control/services/environment.js';
import type { Service } from '../../../../src/control/services/types.js';
import { service } from './samples.js';

function text(services: Service[], namespace = 'shop', links = true): string[] {
  return environmentOf(services, namespace, links).map(({ name, value }) => `${name}=${value}`);
}

function of(name: string, namespace: string, spec: Record<string, unknown> = {}): Service {
  const made = service(spec, name);
  return { ...made, metadata: { ...made.metadata, namespace } };
}

describe('environmentOf', () => {
  // The example of Kubernetes' documentation (Services, "Environment variables").
  it('has the words of the Kubernetes documentation', () => {
    const redis = service({ clusterIPs: ['10.0.0.11'], ports: [{ port: 6379 }] }, 'redis-primary');
    expect(text([redis])).toEqual([
      'REDIS_PRIMARY_SERVICE_HOST=10.0.0.11',
      'REDIS_PRIMARY_SERVICE_PORT=6379',
      'REDIS_PRIMARY_PORT=tcp://10.0.0.11:6379',
      'REDIS_PRIMARY_PORT_6379_TCP=tcp://10.0.0.11:6379',
      'REDIS_PRIMARY_PORT_6379_TCP_PROTO=tcp',
      'REDIS_PRIMARY_PORT_6379_TCP_PORT=6379',
      'REDIS_PRIMARY_PORT_6379_TCP_ADDR=10.0.0.11',
    ]);
  });

  // As in pkg/kubelet/envvars/envvars_test.go.
  it('names ports by their names, and lets the first be the one without', () => {
    const ports = [
      { name: 'u-d-p', port: 8082, protocol: 'UDP' },
      { name: 't-c-p', port: 8083, protocol: 'TCP' },
    ];
    const lines = text([service({ clusterIPs: ['9.8.7.6'], ports }, 'q-u-u-x')]);
    expect(lines).toEqual([
      'Q_U_U_X_SERVICE_HOST=9.8.7.6',
      'Q_U_U_X_SERVICE_PORT=8082',
      'Q_U_U_X_SERVICE_PORT_U_D_P=8082',
      'Q_U_U_X_SERVICE_PORT_T_C_P=8083',
      'Q_U_U_X_PORT=udp://9.8.7.6:8082',
      'Q_U_U_X_PORT_8082_UDP=udp://9.8.7.6:8082',
      'Q_U_U_X_PORT_8082_UDP_PROTO=udp',
      'Q_U_U_X_PORT_8082_UDP_PORT=8082',
      'Q_U_U_X_PORT_8082_UDP_ADDR=9.8.7.6',
      'Q_U_U_X_PORT_8083_TCP=tcp://9.8.7.6:8083',
      'Q_U_U_X_PORT_8083_TCP_PROTO=tcp',
      'Q_U_U_X_PORT_8083_TCP_PORT=8083',
      'Q_U_U_X_PORT_8083_TCP_ADDR=9.8.7.6',
    ]);
  });

  it('brackets an IPv6 address in what is a URL', () => {
    const lines = text([service({ clusterIPs: ['fd00:10:96::7'], ipFamilies: ['IPv6'] })]);
    expect(lines).toContain('WEB_SERVICE_HOST=fd00:10:96::7');
    expect(lines).toContain('WEB_PORT_80_TCP=tcp://[fd00:10:96::7]:80');
  });

  it('leaves out what has no address, and other namespaces', () => {
    const headless = service({ clusterIPs: ['None'], clusterIP: 'None' }, 'db');
    const external = service(
      { type: 'ExternalName', externalName: 'a.example', clusterIPs: undefined, ipFamilies: undefined },
      'ext',
    );
    const waiting = service({ clusterIPs: undefined, ipFamilies: undefined }, 'new');
    expect(text([headless, external, waiting, of('web', 'other')])).toEqual([]);
  });

  it('adds kubernetes of the namespace default, unless there is one here', () => {
    const api = of('kubernetes', 'default', { clusterIPs: ['10.96.0.1'], ports: [{ port: 443 }] });
    const own = of('kubernetes', 'shop', { clusterIPs: ['10.96.0.9'], ports: [{ port: 443 }] });
    const host = (services: Service[], links?: boolean) => text(services, 'shop', links)[0];
    expect(host([api])).toBe('KUBERNETES_SERVICE_HOST=10.96.0.1');
    expect(host([api, own])).toBe('KUBERNETES_SERVICE_HOST=10.96.0.9');
    expect(host([own, api])).toBe('KUBERNETES_SERVICE_HOST=10.96.0.9');
    expect(host([own, api], false)).toBe('KUBERNETES_SERVICE_HOST=10.96.0.1');
    expect(text([of('web', 'shop'), api], 'shop', false)).not.toContain('WEB_SERVICE_HOST=10.96.0.7');
  });

  it('is sorted, and each name is there once', () => {
    const lines = environmentOf([of('b', 'shop'), of('a', 'shop')], 'shop').map(({ name }) => name);
    expect(lines[0]).toBe('A_SERVICE_HOST');
    expect(new Set(lines).size).toBe(lines.length);
  });
});
