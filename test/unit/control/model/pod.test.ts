import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parseAttach } from '../../../../src/control/model/attach.js';
import { attachmentWish, parsePod } from '../../../../src/control/model/pod.js';
import { refusal } from '../support.js';

/** As `kubectl run web --image nginx --dry-run=server -o yaml` writes it, shortened. */
const KUBERNETES_POD = parse(`
apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: null
  generateName: web-
  labels: { run: web, pod-template-hash: 6d4cf56db6 }
  annotations: { kubernetes.io/config.seen: "2024-05-01T10:00:00Z" }
  ownerReferences: [{ apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: 9a }]
  name: web
spec:
  containers:
  - image: nginx
    name: web
    ports: [{ containerPort: 80, protocol: TCP, name: http }]
    resources: {}
    volumeMounts: [{ mountPath: /var/run/secrets, name: kube-api-access }]
  dnsPolicy: ClusterFirst
  enableServiceLinks: true
  restartPolicy: Always
  hostNetwork: false
status: { phase: Running, podIP: 10.0.0.9 }
`);

function pod(fields: Record<string, unknown>): unknown {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' }, ...fields };
}

function annotated(annotations: Record<string, unknown>): unknown {
  return pod({ metadata: { name: 'web', annotations } });
}

describe('parsePod', () => {
  it('takes a manifest of Kubernetes as it is, without its status', () => {
    const { status: _, ...rest } = KUBERNETES_POD;
    expect(parsePod(KUBERNETES_POD)).toEqual(rest);
  });

  it.each([
    [pod({ apiVersion: 'v2' }), 'INVALID apiVersion'],
    [pod({ metadata: {} }), 'INVALID metadata.name'],
    [pod({ metadata: { name: 'web', namespace: 'a.b' } }), 'INVALID metadata.namespace'],
    [pod({ metadata: { name: 'web', labels: { app: 7 } } }), 'INVALID metadata.labels.app'],
    [pod({ specs: {} }), 'INVALID specs'],
    [pod({ spec: { hostNetwork: 'yes' } }), 'INVALID spec.hostNetwork'],
    [
      {
        ...KUBERNETES_POD,
        metadata: { name: 'web', annotations: { 'podwire.dev/network': 'backend' } },
        spec: { hostNetwork: true },
      },
      'INVALID metadata.annotations["podwire.dev/network"]',
    ],
    [
      pod({ spec: { containers: [{ name: 'a' }, { ports: [{ containerPort: 1 }, { hostPort: 80 }] }] } }),
      'INVALID spec.containers[1].ports[1].containerPort',
    ],
    [
      pod({ spec: { initContainers: [{ ports: [{ containerPort: 80, hostPort: 65_536 }] }] } }),
      'INVALID spec.initContainers[0].ports[0].hostPort',
    ],
    [
      pod({ spec: { containers: [{ ports: [{ containerPort: 80, hostPort: 80, hostIP: '::1' }] }] } }),
      'UNSUPPORTED spec.containers[0].ports[0].hostIP',
    ],
    [pod({ spec: { containers: 'none' } }), 'INVALID spec.containers'],
    [
      annotated({ 'k8s.v1.cni.cncf.io/networks': 'macvlan' }),
      'UNSUPPORTED metadata.annotations["k8s.v1.cni.cncf.io/networks"]',
    ],
    [annotated({ 'podwire.dev/netnz': '/run/x' }), 'INVALID metadata.annotations["podwire.dev/netnz"]'],
    [annotated({ 'podwire.dev/netns': 'web' }), 'INVALID netns'],
    [annotated({ 'podwire.dev/ips': '10.0.0.3, nonsense' }), 'INVALID ips[1]'],
    [annotated({ 'podwire.dev/ifname': 'far-too-long-a-name' }), 'INVALID ifname'],
  ])('%j: %s', (value, expected) => {
    expect(refusal(() => parsePod(value))).toBe(expected);
  });

  it('takes a pod with hostNetwork, and the ports that Kubernetes writes into it', () => {
    const value = pod({
      spec: { hostNetwork: true, containers: [{ ports: [{ containerPort: 80, hostPort: 80 }] }] },
    });
    expect(parsePod(value)).toEqual(value);
  });

  it('reads the attachment out of the annotations', () => {
    const wish = (annotations: Record<string, unknown>) => attachmentWish(parsePod(annotated(annotations)));
    expect(wish({})).toEqual({});
    expect(wish({ 'podwire.dev/network': 'backend' })).toEqual({ network: 'backend' });
    expect(
      wish({
        'podwire.dev/netns': '/run/netns/web',
        'podwire.dev/ifname': 'net1',
        'podwire.dev/ips': '10.0.0.3, FD00:0::3',
      }),
    ).toEqual({ netns: '/run/netns/web', ifname: 'net1', ips: ['10.0.0.3', 'fd00::3'] });
  });
});

describe('parseAttach', () => {
  const netns = '/run/netns/web';

  it('accepts a whole request, addresses made canonical', () => {
    const request = { netns, ifname: 'eth0', network: 'default', labels: { app: 'web' }, ips: ['FD00:0::5'] };
    expect(parseAttach(request)).toEqual({ ...request, ips: ['fd00::5'] });
  });

  it.each([
    [undefined, 'INVALID body'],
    [{ netns, mac: '01:00:5e:00:00:01' }, 'INVALID mac'],
    [{ netns, aliases: ['Not_A_Name'] }, 'INVALID aliases[0]'],
    [{ netns: 'web' }, 'INVALID netns'],
    [{ netns: '/run/\0' }, 'INVALID netns'],
    [{ netns, ifname: '' }, 'INVALID ifname'],
    [{ netns, ifname: 'a b' }, 'INVALID ifname'],
    [{ netns, ifname: '%d' }, 'INVALID ifname'],
    [{ netns, ifname: '..' }, 'INVALID ifname'],
    [{ netns, network: 'Back End' }, 'INVALID network'],
    [{ netns, ips: ['10.0.0.3/24'] }, 'INVALID ips[0]'],
    [{ netns, ips: ['1.1.1.1', '::1', '::2'] }, 'INVALID ips'],
    [{ netns, publish: ['8080:80'] }, 'INVALID publish[0]'],
    [{ netns, publish: [{ hostPort: 80 }] }, 'INVALID publish[0].containerPort'],
    [{ netns, publish: [{ containerPort: 80, hostIP: 'eth0' }] }, 'INVALID publish[0].hostIP'],
  ])('%j: %s', (value, expected) => {
    expect(refusal(() => parseAttach(value))).toBe(expected);
  });
});
