/**
 * The answer to a load balancer that asks whether this node has endpoints: HTTP at the `healthCheckNodePort` of each service of
 * type LoadBalancer with externalTrafficPolicy Local, at every address of the node, in kube-proxy's words
 * (pkg/proxy/healthcheck/service_health.go). 200 where packets that come in here are answered here, 503 otherwise.
 *
 * Ready endpoints count, one for each address; terminating ones do not, though they may still be given connections, since the
 * load balancer is to look elsewhere. Counted when somebody asks: nothing is kept, and an answer is as new as the plan.
 *
 * The port is no frontend of the switch: the host's kernel has it, like any program's. One that cannot be had is one warning, and
 * tried again until the service goes.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Backoff } from '../backoff.js';
import { type Clock, SYSTEM_CLOCK, type Timer } from '../clock.js';
import type { Logger } from '../logger.js';
import { endpointsOf, familiesOf, type Here } from './endpoints.js';
import type { LiveServices } from './live-services.js';
import { isPlanned } from './planned.js';
import type { IpFamily, Service } from './types.js';

export interface HealthChecksParts {
  readonly services: Pick<LiveServices, 'service' | 'endpointSlices'>;
  readonly here: Pick<Here, 'node'>;
  /** Whether what comes in from outside finds its way to the switch. */
  readonly isWayOpen: () => boolean;
  readonly log: Logger;
  readonly clock?: Clock;
}

/** Load balancers ask in a moment and go; who does not is no load balancer. */
const REQUEST_WITHIN_MS = 10_000;
const MOST_CONNECTIONS = 64;

export class HealthChecks {
  /** By service. */
  private readonly checks = new Map<string, HealthCheck>();
  private stopped = false;

  constructor(private readonly parts: HealthChecksParts) {}

  /** A service may be other than before. @param key NAMESPACE/NAME; another is none of a service. */
  serviceChanged(key: string): void {
    const port = this.stopped ? undefined : portOf(this.parts.services.service(key));
    const known = this.checks.get(key);
    if (known?.port === port) return;
    known?.close();
    if (port === undefined) this.checks.delete(key);
    else this.checks.set(key, new HealthCheck(this.parts, key, port));
  }

  stop(): void {
    this.stopped = true;
    for (const key of [...this.checks.keys()]) this.serviceChanged(key);
  }
}

class HealthCheck {
  private server: Server | undefined;
  private timer: Timer | undefined;
  private readonly backoff = new Backoff();
  private hasWarned = false;

  constructor(
    private readonly parts: HealthChecksParts,
    private readonly key: string,
    readonly port: number,
  ) {
    this.listen();
  }

  close(): void {
    this.timer?.cancel();
    this.server?.removeAllListeners('error').on('error', () => {});
    this.server?.close();
    this.server?.closeAllConnections();
  }

  private listen(): void {
    const limits = { requestTimeout: REQUEST_WITHIN_MS, headersTimeout: REQUEST_WITHIN_MS };
    this.server = createServer(limits, (request, response) => this.answer(request, response));
    this.server.maxConnections = MOST_CONNECTIONS;
    this.server.on('error', (error) => this.failed(error));
    // Without an address: all of IPv6 and IPv4, or of IPv4 where the host has no other.
    this.server.listen(this.port);
  }

  private failed({ message }: Error): void {
    const { log, clock = SYSTEM_CLOCK } = this.parts;
    const fields = { service: this.key, port: this.port, error: message };
    if (!this.hasWarned) log.warn(fields, 'load balancers are not answered at the health check port');
    this.hasWarned = true;
    this.timer = clock.after(this.backoff.next(), () => this.listen());
  }

  private answer({ socket }: IncomingMessage, response: ServerResponse): void {
    const [namespace, name] = this.key.split('/');
    const localEndpoints = this.count(familyAsked(socket.localAddress));
    const serviceProxyHealthy = this.parts.isWayOpen();
    response.writeHead(localEndpoints > 0 && serviceProxyHealthy ? 200 : 503, {
      'Content-Type': 'application/json',
      'X-Content-Type-Options': 'nosniff',
      'X-Load-Balancing-Endpoint-Weight': localEndpoints,
      Connection: 'close',
    });
    response.end(
      `${JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy })}\n`,
    );
  }

  /** Of the family that is asked about where the service has it, for a load balancer sends what it asks with. */
  private count(asked: IpFamily): number {
    const { services, here } = this.parts;
    const service = services.service(this.key);
    if (!service) return 0;
    const families = familiesOf(service);
    const family = families.includes(asked) ? asked : families[0];
    const slices = services.endpointSlices(this.key);
    const endpoints = (service.spec.ports ?? []).flatMap((port) => endpointsOf(port, family, slices, here));
    return new Set(endpoints.flatMap(({ ready, local, address }) => (ready && local ? [address] : []))).size;
  }
}

function portOf(service: Service | undefined): number | undefined {
  return service && isPlanned(service) ? service.spec.healthCheckNodePort : undefined;
}

/** A socket for both families has IPv4 addresses in IPv6 (RFC 4291 section 2.5.5.2). */
function familyAsked(address = ''): IpFamily {
  return address.includes(':') && !address.startsWith('::ffff:') ? 'IPv6' : 'IPv4';
}
