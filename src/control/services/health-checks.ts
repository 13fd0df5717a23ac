/**
 * What a load balancer asks a node before it sends it clients: whether it has endpoints of a service that keeps to its node
 * (externalTrafficPolicy Local), at the service's `healthCheckNodePort`, by HTTP at any path. The answers are kube-proxy's:
 * 200 and how many, or 503 where there is none.
 *
 * It is served at every address of the node, in the daemon itself: a node whose daemon does not run sends a load balancer
 * elsewhere. Where a port cannot be had, the log says so, and it is tried again until the service goes.
 */
import { createServer, type Server } from 'node:http';
import { Backoff } from '../backoff.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';
import { type Logger, RepeatedLog } from '../logger.js';
import type { LiveServices } from './live-services.js';
import type { EndpointSlice, Service } from './types.js';

export interface HealthChecksParts {
  /** Name of this node. */
  readonly node: string;
  readonly services: Pick<LiveServices, 'service' | 'endpointSlices'>;
  readonly log: Logger;
  readonly clock?: Clock;
}

interface Check {
  readonly key: string;
  readonly port: number;
  count: number;
  server: Server | undefined;
  retry: Timer | undefined;
  readonly backoff: Backoff;
}

/** IPv4 as well, unless the host has no IPv6. */
const EVERYWHERE = ['::', '0.0.0.0'] as const;
const NO_IPV6 = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);
/** Whoever asks sends a line or two. */
const PATIENCE_MS = 10_000;
const MOST_CONNECTIONS = 64;

export class HealthChecks {
  private readonly checks = new Map<string, Check>();
  private readonly repeated: RepeatedLog;
  private readonly clock: Clock;

  constructor(private readonly parts: HealthChecksParts) {
    this.repeated = new RepeatedLog(parts.log);
    this.clock = parts.clock ?? SYSTEM_CLOCK;
  }

  /** A service or its endpoints may be others. @param key NAMESPACE/NAME; another is none of a service */
  serviceChanged(key: string): void {
    const { services, node } = this.parts;
    const port = portOf(services.service(key));
    const known = this.checks.get(key);
    if (known && known.port !== port) this.end(known);
    if (port === undefined) return;
    const check = this.checks.get(key) ?? this.begin(key, port);
    check.count = countHere(services.endpointSlices(key), node);
  }

  stop(): void {
    for (const check of [...this.checks.values()]) this.end(check);
  }

  private begin(key: string, port: number): Check {
    const check = { key, port, count: 0, server: undefined, retry: undefined, backoff: new Backoff() };
    this.checks.set(key, check);
    this.listen(check, 0);
    return check;
  }

  private end(check: Check): void {
    this.checks.delete(check.key);
    check.retry?.cancel();
    check.server?.close();
    check.server?.closeAllConnections();
    check.server = undefined;
  }

  private listen(check: Check, attempt: number): void {
    const server = createServer((_request, response) => {
      const { status, headers, body } = answer(check);
      response.writeHead(status, headers).end(body);
    });
    server.requestTimeout = PATIENCE_MS;
    server.maxConnections = MOST_CONNECTIONS;
    server.on('error', (error: NodeJS.ErrnoException) => this.failed(check, server, error, attempt));
    check.server = server;
    server.listen(check.port, EVERYWHERE[attempt], () => this.repeated.clear(check.key));
  }

  private failed(check: Check, server: Server, error: NodeJS.ErrnoException, attempt: number): void {
    if (check.server !== server) return;
    check.server = undefined;
    if (attempt === 0 && NO_IPV6.has(error.code ?? '')) {
      this.listen(check, 1);
      return;
    }
    const { key, port } = check;
    const fields = { service: key, port, error: error.message };
    this.repeated.warn(key, fields, 'load balancers cannot ask for the endpoints of a service');
    check.retry = this.clock.after(check.backoff.next(), () => this.listen(check, 0));
  }
}

function portOf(service: Service | undefined): number | undefined {
  if (service?.spec.externalTrafficPolicy !== 'Local') return undefined;
  return service.spec.healthCheckNodePort;
}

/** Addresses, whatever their ports and families are: a pod with two is one. */
function countHere(slices: readonly EndpointSlice[], node: string): number {
  const byFamily = new Map<string, Set<string>>();
  for (const { addressType, endpoints } of slices) {
    const found = byFamily.get(addressType) ?? new Set<string>();
    byFamily.set(addressType, found);
    for (const { nodeName, conditions, addresses } of endpoints) {
      if (nodeName === node && conditions.ready) found.add(addresses[0]);
    }
  }
  return Math.max(0, ...[...byFamily.values()].map(({ size }) => size));
}

/** In the words of pkg/proxy/healthcheck/service_health.go. */
function answer({ key, count }: Check) {
  const [namespace, name] = key.split('/');
  const headers = {
    'content-type': 'application/json',
    'x-content-type-options': 'nosniff',
    'x-load-balancing-endpoint-weight': `${count}`,
    connection: 'close',
  };
  const said = { service: { namespace, name }, localEndpoints: count, serviceProxyHealthy: true };
  return { status: count > 0 ? 200 : 503, headers, body: `${JSON.stringify(said)}\n` };
}
