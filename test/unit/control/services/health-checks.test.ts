/** Answers to load balancers, asked for over real HTTP at real ports of the loopback interface. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { HealthChecks } from '../../../../src/control/services/health-checks.js';
import { ServicePlan } from '../../../../src/control/services/plan.js';
import type { Service } from '../../../../src/control/services/types.js';
import { VirtualClock } from '../../../support/virtual-clock.js';
import { service, slice } from './samples.js';

const LOCAL = { type: 'LoadBalancer', externalTrafficPolicy: 'Local' };
const HAS_IPV6 = networkInterfaces().lo?.some(({ address }) => address === '::1') ?? false;
const DEADLINE_MS = 20_000;

/** A program at a port that was free. */
async function program(): Promise<Server> {
  const server = createServer();
  server.listen(0);
  await once(server, 'listening');
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

async function freePort(): Promise<number> {
  const server = await program();
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  return port;
}

function world() {
  const warnings: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void warnings.push(line) });
  const clock = new VirtualClock();
  const way = { isOpen: true };
  const plan: ServicePlan = new ServicePlan({ node: 'n1' }, (key) => checks.serviceChanged(key));
  const checks = new HealthChecks({
    services: plan,
    here: { node: 'n1' },
    isWayOpen: () => way.isOpen,
    log,
    clock,
  });
  const set = (more: object, name?: string): void => {
    plan.setService(service({ ...LOCAL, ...more }, name));
    plan.changes();
  };
  return { plan, checks, set, warnings, clock, way };
}

async function ask(port: number, host = '127.0.0.1') {
  const response = await fetch(`http://${host}:${port}/`, { headers: { connection: 'close' } });
  const weight = response.headers.get('X-Load-Balancing-Endpoint-Weight');
  return { status: response.status, weight, body: (await response.json()) as object };
}

/** Whether something is answered, as soon as it is what is expected. */
async function isAnswered(port: number, expected: boolean): Promise<boolean> {
  const end = Date.now() + DEADLINE_MS;
  for (;;) {
    const answered = await ask(port).then(
      () => true,
      () => false,
    );
    if (answered === expected || Date.now() > end) return answered;
    await new Promise((done) => setTimeout(done, 20));
  }
}

describe('health check node ports', () => {
  let stop: (() => void)[] = [];
  const begin = () => {
    const made = world();
    stop.push(() => made.checks.stop());
    return made;
  };
  afterEach(() => {
    for (const one of stop) one();
    stop = [];
  });

  it('count the ready endpoints of this node, each address once, and follow them', async () => {
    const { plan, set, way } = begin();
    const port = await freePort();
    const ports = [
      { name: 'http', port: 80 },
      { name: 'https', port: 443 },
    ];
    set({ healthCheckNodePort: port, ports });
    expect(await isAnswered(port, true)).toBe(true);
    const body = {
      service: { namespace: 'shop', name: 'web' },
      localEndpoints: 0,
      serviceProxyHealthy: true,
    };
    expect(await ask(port)).toEqual({ status: 503, weight: '0', body });
    const endpoints = [
      { addresses: ['10.244.0.5'], nodeName: 'n1' },
      { addresses: ['10.244.0.6'], nodeName: 'n1' },
      { addresses: ['10.244.0.7'], nodeName: 'n1', conditions: { ready: false } },
      {
        addresses: ['10.244.0.8'],
        nodeName: 'n1',
        conditions: { ready: false, serving: true, terminating: true },
      },
      { addresses: ['10.244.1.5'], nodeName: 'n2' },
    ];
    plan.setSlice(
      slice(endpoints, [
        { name: 'http', port: 8080 },
        { name: 'https', port: 8443 },
      ]),
    );
    expect(await ask(port)).toEqual({ status: 200, weight: '2', body: { ...body, localEndpoints: 2 } });
    way.isOpen = false;
    expect(await ask(port)).toMatchObject({ status: 503, weight: '2', body: { serviceProxyHealthy: false } });
    way.isOpen = true;
    plan.setSlice(slice(endpoints.slice(3)));
    expect(await ask(port)).toMatchObject({ status: 503, weight: '0' });
  });

  it.skipIf(!HAS_IPV6)('answer of the family that is asked with', async () => {
    const { plan, set } = begin();
    const port = await freePort();
    set({
      healthCheckNodePort: port,
      clusterIPs: ['10.96.0.7', 'fd00::7'],
      ipFamilies: ['IPv4', 'IPv6'],
      ipFamilyPolicy: 'RequireDualStack',
    });
    plan.setSlice(
      slice([{ addresses: ['fd00:1::5'], nodeName: 'n1' }], undefined, { family: 'IPv6', name: 'web-6' }),
    );
    expect(await isAnswered(port, true)).toBe(true);
    expect(await ask(port)).toMatchObject({ status: 503 });
    expect(await ask(port, '[::1]')).toMatchObject({ status: 200, body: { localEndpoints: 1 } });
  });

  it('move with the service, and go with it, with its policy, and with the daemon', async () => {
    const { plan, set, checks } = begin();
    const [first, second] = [await freePort(), await freePort()];
    set({ healthCheckNodePort: first });
    expect(await isAnswered(first, true)).toBe(true);
    set({ healthCheckNodePort: second });
    expect([await isAnswered(first, false), await isAnswered(second, true)]).toEqual([false, true]);
    set({ externalTrafficPolicy: 'Cluster' });
    expect(await isAnswered(second, false)).toBe(false);
    set({ healthCheckNodePort: second });
    expect(await isAnswered(second, true)).toBe(true);
    plan.removeService('shop/web');
    plan.changes();
    expect(await isAnswered(second, false)).toBe(false);
    set({ healthCheckNodePort: second });
    expect(await isAnswered(second, true)).toBe(true);
    checks.stop();
    expect(await isAnswered(second, false)).toBe(false);
    set({ healthCheckNodePort: first });
    expect(await isAnswered(first, false)).toBe(false);
  });

  it('are not opened for a service of another proxy', async () => {
    const { plan } = begin();
    const port = await freePort();
    const other: Service = service({ ...LOCAL, healthCheckNodePort: port });
    other.metadata.labels = { 'service.kubernetes.io/service-proxy-name': 'other' };
    plan.setService(other);
    plan.changes();
    expect(await isAnswered(port, false)).toBe(false);
  });

  it('that a program has are one warning, and are had when it has gone', async () => {
    const { set, warnings, clock } = begin();
    const holder = await program();
    const port = portOf(holder);
    set({ healthCheckNodePort: port });
    for (let round = 0; round < 5; round++) {
      await clock.advance(20_000);
      await new Promise((done) => setTimeout(done, 10));
    }
    expect(warnings.map((line) => JSON.parse(line))).toMatchObject([{ service: 'shop/web', port }]);
    holder.close();
    await once(holder, 'close');
    const end = Date.now() + DEADLINE_MS;
    while (!(await ask(port).catch(() => undefined)) && Date.now() < end) await clock.advance(20_000);
    expect(await ask(port)).toMatchObject({ status: 503 });
    expect(warnings).toHaveLength(1);
  });
});
