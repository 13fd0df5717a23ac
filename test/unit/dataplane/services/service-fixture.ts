/** Services to test with. */
import { FlowKey } from '../../../../src/dataplane/flows/flow-key.js';
import type { BackendSpec, ServiceSpec } from '../../../../src/dataplane/service-spec.js';
import { Service } from '../../../../src/dataplane/services/service.js';
import { KeyedHash } from '../../../../src/dataplane/tables/hash.js';
import { parseIp } from '../../../../src/wire/address.js';

export const TCP = 6;
export const UDP = 17;

export function backend(address: string, more: Partial<BackendSpec> = {}): BackendSpec {
  const port = more.port ?? 8080;
  return { name: `${address}:${port}`, address, port, local: false, cluster: 'active', ...more };
}

/** 10.244.0.1 and on. */
export function backends(count: number, more: Partial<BackendSpec> = {}): BackendSpec[] {
  return Array.from({ length: count }, (_, i) => backend(`10.244.${(i + 1) >> 8}.${(i + 1) & 255}`, more));
}

export function spec(id: number, more: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    id,
    name: `shop/s${id}:http`,
    family: 'IPv4',
    protocol: 'TCP',
    frontends: [{ address: `10.96.${id >> 8}.${id & 255}`, port: 80, scope: 'cluster' }],
    backends: backends(3),
    ...more,
  };
}

export function service(more: Partial<ServiceSpec> = {}): Service {
  return new Service(spec(1, more));
}

/** int32. */
export function words(address: string): number[] {
  return [...Int32Array.from(parseIp(address).words)];
}

export function word(address: string): number {
  return words(address)[0];
}

/** As a client's packet has it. */
export function keyOf(from: string, to: string, sourcePort = 40_000, port = 80, seed = 3): FlowKey {
  const key = new FlowKey(new KeyedHash(seed));
  const view = new DataView(new ArrayBuffer(32));
  const both = [...words(from), ...words(to)];
  const ports = (sourcePort << 16) | port;
  both.forEach((value, i) => {
    view.setInt32(4 * i, value);
  });
  if (both.length === 2) key.setIpv4(1, TCP, both[0], both[1], ports);
  else key.setIpv6(1, TCP, view, 0, ports);
  return key;
}
