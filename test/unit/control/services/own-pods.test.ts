import { describe, expect, it } from 'vitest';
import { parsePod } from '../../../../src/control/model/pod.js';
import type { AttachmentRecord, PodRecord } from '../../../../src/control/records.js';
import { type OwnPod, OwnPods } from '../../../../src/control/services/own-pods.js';

const NETWORKS = new Map([
  ['default', { mode: 'routed' as const, isRouted: true }],
  ['backend', { mode: 'bridge' as const, isRouted: true }],
  ['closed', { mode: 'bridge' as const, isRouted: false }],
  ['host', { mode: 'host' as const, isRouted: false }],
]);

function world() {
  const records = new Map<string, PodRecord>();
  const down = new Set<string>();
  const told: (OwnPod | string)[] = [];
  const own = new OwnPods(
    {
      node: 'n1',
      records: () => records,
      isUp: ({ port }) => !down.has(port),
      networkOf: (name) => NETWORKS.get(name),
      nodeIps: () => ['192.0.2.7'],
    },
    { set: (pod) => void told.push(pod), remove: ({ pod }) => void told.push(`${pod.name} gone`) },
  );
  const last = () => told.at(-1) as OwnPod;
  return { records, down, told, own, last };
}

function record(
  manifest: { metadata?: object; spec?: object; status?: object },
  ...networks: string[]
): PodRecord {
  const { metadata, ...rest } = manifest;
  const pod = parsePod({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', ...metadata }, ...rest });
  const attachments = networks.map(
    (network, index) =>
      ({ port: `shop/web/${index}`, network, ips: [`10.0.${index}.5`] }) as unknown as AttachmentRecord,
  );
  return { pod, applied: true, attachments };
}

/** The words of a manifest, attached. */
function said(manifest: Parameters<typeof record>[0]) {
  const { records, own, last } = world();
  records.set('shop/web', record(manifest, 'default'));
  own.refresh();
  return last().pod;
}

const condition = (status: string) => ({ status: { conditions: [{ type: 'Ready', status }] } });
const annotated = (annotations: Record<string, string>) => ({ metadata: { annotations } });

describe('pods of this node', () => {
  it('have what services ask of them', () => {
    const port = { name: 'http', containerPort: 8080 };
    const spec = {
      hostname: 'pet-0',
      subdomain: 'pets',
      containers: [{ ports: [port, { containerPort: 1 }] }],
    };
    expect(said({ metadata: { labels: { app: 'web' } }, spec })).toEqual({
      namespace: 'shop',
      name: 'web',
      labels: { app: 'web' },
      ips: ['10.0.0.5'],
      node: 'n1',
      hostname: 'pet-0',
      subdomain: 'pets',
      ready: true,
      terminating: false,
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    });
  });

  it('are ready by the annotation, else by Kubernetes’ word, else while they forward', () => {
    expect(said(condition('False')).ready).toBe(false);
    expect(said(condition('Unknown')).ready).toBe(false);
    expect(said(condition('True')).ready).toBe(true);
    expect(said({ ...condition('True'), ...annotated({ 'podwire.dev/ready': 'false' }) }).ready).toBe(false);
    expect(said({ ...condition('False'), ...annotated({ 'podwire.dev/ready': 'true' }) }).ready).toBe(true);
    expect(said(annotated({ 'podwire.dev/terminating': 'true' })).terminating).toBe(true);
    expect(said({ metadata: { deletionTimestamp: '2026-11-21T00:00:00Z' } }).terminating).toBe(true);
    expect(() => said(annotated({ 'podwire.dev/ready': 'yes' }))).toThrow('podwire.dev/ready');
  });

  it('are told once, again where a record or an interface is different, and when they go', () => {
    const { records, down, told, own, last } = world();
    records.set('shop/web', record({}, 'default'));
    own.refresh();
    own.refresh();
    expect(told).toHaveLength(1);
    down.add('shop/web/0');
    own.refresh();
    expect(last().pod.ready).toBe(false);
    down.clear();
    own.refresh();
    expect(last().pod.ready).toBe(true);
    records.set('shop/web', record({ metadata: { labels: { app: 'db' } } }, 'default'));
    own.refresh();
    expect(last().pod.labels).toEqual({ app: 'db' });
    records.set('shop/web', record({}));
    own.refresh();
    own.refresh();
    expect(told).toHaveLength(5);
    expect(told.at(-1)).toBe('web gone');
  });

  it('have the addresses that whoever may ask reaches', () => {
    const placed = (manifest: Parameters<typeof record>[0], ...networks: string[]) => {
      const { records, own, last } = world();
      records.set('shop/web', record(manifest, ...networks));
      own.refresh();
      return [last().pod.ips, last().isPublic];
    };
    expect(placed({}, 'backend', 'default')).toEqual([['10.0.1.5'], true]);
    expect(placed({}, 'backend', 'closed')).toEqual([['10.0.0.5'], false]);
    expect(placed({}, 'closed')).toEqual([[], false]);
    expect(placed({}, 'host')).toEqual([['192.0.2.7'], true]);
    expect(placed({ spec: { hostNetwork: true } })).toEqual([['192.0.2.7'], true]);
  });
});
