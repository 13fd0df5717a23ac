/** What the commands for resources send and print, against answers of the API's shape. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AttachAnswer, Network, Pod, ResourceList } from '../../../../src/control/api/types.js';
import { fakeApi, podwire } from '../support.js';

const WEB: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
  status: {
    phase: 'Running',
    podIPs: [{ ip: '10.244.0.3' }, { ip: 'fd00:10:244::3' }],
    mac: '02:70:0a:f4:00:03',
    network: 'default',
    ifname: 'eth0',
    netns: '/run/netns/web',
    mtu: 1500,
    interfaces: [
      {
        ifname: 'eth0',
        network: 'default',
        ips: ['10.244.0.3', 'fd00:10:244::3'],
        mac: '02:70:0a:f4:00:03',
        mtu: 1500,
        gateways: [],
        up: true,
      },
    ],
  },
};
const PENDING: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'db' },
  status: { phase: 'Pending' },
};
const BACKEND: Network = {
  apiVersion: 'podwire.dev/v1',
  kind: 'Network',
  metadata: { name: 'backend' },
  spec: { mode: 'routed', cidrs: ['10.80.0.0/24', 'fd80::/64'] },
  status: { gateways: ['10.80.0.1', 'fd80::1'], pods: 2 },
};
const PODS: ResourceList<Pod> = { apiVersion: 'v1', kind: 'PodList', revision: 7, items: [WEB, PENDING] };

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-manifest-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'manifest.yaml');
  writeFileSync(path, text);
  return path;
}

describe('pods and get', () => {
  it('prints pods of all namespaces as a table', async () => {
    const { socket } = await fakeApi({ 'GET /v1/pods': { body: PODS } });
    const { out, status } = await podwire('pods', '--socket', socket);
    expect(status).toBe(0);
    expect(out).toBe(
      'NAMESPACE   NAME   STATUS    IPS                         NETWORK   IFNAME   AGE\n' +
        'default     web    Running   10.244.0.3,fd00:10:244::3   default   eth0       -\n' +
        'default     db     Pending   -                           -         -          -\n',
    );
  });

  it('prints a row for each interface of a pod, with its own limits', async () => {
    const first = {
      ifname: 'eth0',
      network: 'default',
      ips: ['10.244.0.3'],
      mac: '02:70:0a:f4:00:03',
      mtu: 1500,
    };
    const second = {
      ifname: 'eth1',
      network: 'backend',
      ips: ['10.80.0.2', 'fd80::2'],
      mac: '02:70:0a:50:00:02',
      mtu: 1400,
    };
    const limits = {
      egress: { rate: 10_000_000, burst: 16_384 },
      ingress: { rate: 50_000_000, burst: 62_500 },
    };
    const pod = { ...WEB, status: { ...WEB.status, interfaces: [first, { ...second, limits }] } };
    const { socket } = await fakeApi({ 'GET /v1/pods': { body: { ...PODS, items: [pod] } } });
    expect((await podwire('pods', '--socket', socket)).out).toBe(
      'NAMESPACE   NAME   STATUS    IPS                 NETWORK   IFNAME   AGE\n' +
        'default     web    Running   10.244.0.3          default   eth0       -\n' +
        'default     web    Running   10.80.0.2,fd80::2   backend   eth1       -\n',
    );
    const wide = (await podwire('pods', '-o', 'wide', '--socket', socket)).out.split('\n');
    expect(wide[1]).toMatch(/eth0 +- +02:70:0a:f4:00:03 +1500 +- +/);
    expect(wide[2]).toMatch(/eth1 +- +02:70:0a:50:00:02 +1400 +out:10.0Mbit\/s,in:50.0Mbit\/s +/);
  });

  it('shows a note on a network where there is one', async () => {
    const message = 'eth7 is missing';
    const noted = { ...BACKEND, status: { ...BACKEND.status, message } };
    const answer = (body: object) => fakeApi({ 'GET /v1/networks/backend': { body } });
    const [plain, said] = [await answer(BACKEND), await answer(noted)];
    expect((await podwire('get', 'net', 'backend', '--socket', plain.socket)).out).not.toContain('NOTE');
    expect((await podwire('get', 'net', 'backend', '--socket', said.socket)).out).toMatch(
      /NOTE\n.* eth7 is missing\n$/,
    );
  });

  it('asks for one namespace; says so when there is nothing', async () => {
    const empty = { ...PODS, items: [] };
    const { socket, heard } = await fakeApi({
      'GET /v1/pods': { body: empty },
      'GET /v1/pods?namespace=prod': { body: empty },
      'GET /v1/pods?namespace=default': { body: empty },
      'GET /v1/networks': { body: empty },
    });
    expect((await podwire('pods', '--socket', socket)).out).toBe('no pods\n');
    expect((await podwire('pods', '-n', 'prod', '--socket', socket)).out).toBe('no pods in namespace prod\n');
    const get = await podwire('--socket', socket, 'get', 'po');
    expect(get.out).toBe('no pods in namespace default (-A shows all namespaces)\n');
    expect((await podwire('get', 'pods', '-A', '--socket', socket)).out).toBe('no pods\n');
    expect((await podwire('get', 'net', '--socket', socket)).out).toBe('no networks\n');
    expect(heard).toHaveLength(5);
  });

  it('prints one resource as wide table, JSON or YAML', async () => {
    const { socket } = await fakeApi({
      'GET /v1/pods/default/web': { body: WEB },
      'GET /v1/networks/backend': { body: BACKEND },
    });
    const wide = await podwire('get', 'pod', 'web', '-o', 'wide', '--socket', socket);
    expect(wide.out.split('\n')[0]).toMatch(/AGE +MAC +MTU +LIMITS +PORTS +TAP +NETNS +LABELS$/);
    expect(wide.out.split('\n')[1]).toMatch(/02:70:0a:f4:00:03 +1500 +- +- +- +\/run\/netns\/web +app=web$/);
    const json = await podwire('get', 'networks', 'backend', '-o', 'json', '--socket', socket);
    expect(JSON.parse(json.out)).toEqual(BACKEND);
    const yaml = await podwire('get', 'network', 'backend', '-o', 'yaml', '--socket', socket);
    expect(yaml.out).toContain('  cidrs:\n    - 10.80.0.0/24\n    - fd80::/64\n');
  });

  it('passes the daemon’s refusal on', async () => {
    const { socket } = await fakeApi({});
    expect(await podwire('get', 'pod', 'nix', '--socket', socket)).toEqual({
      out: '',
      err: 'error: NOT_FOUND: there is no /v1/pods/default/nix\n',
      status: 1,
    });
  });
});

describe('attach and detach', () => {
  it('prints what the pod got as JSON', async () => {
    const answer: AttachAnswer = {
      name: 'web',
      namespace: 'prod',
      network: 'default',
      ips: ['10.244.0.3'],
      mac: '02:70:0a:f4:00:03',
      gateway: ['10.244.0.1'],
      mtu: 1500,
      ifname: 'eth0',
    };
    const { socket, heard } = await fakeApi({ 'POST /v1/pods/prod/web/attach': { body: answer } });
    const argv = [
      'attach',
      'web',
      '--namespace',
      'prod',
      '--netns',
      'web',
      '--label',
      'a=b',
      '--ip',
      '10.244.0.3',
    ];
    const { out, status } = await podwire(...argv, '--socket', socket);
    expect({ answer: JSON.parse(out), status }).toEqual({ answer, status: 0 });
    expect(heard[0]?.body).toEqual({ netns: '/run/netns/web', labels: { a: 'b' }, ips: ['10.244.0.3'] });
  });

  it('says what is free again', async () => {
    const body = { name: 'web', namespace: 'default', ips: ['10.244.0.3', 'fd00:10:244::3'] };
    const { socket, heard } = await fakeApi({ 'POST /v1/pods/default/web/detach': { body } });
    const { out } = await podwire('detach', 'web', '--socket', socket);
    expect(out).toBe('pod/default/web detached; free again: 10.244.0.3, fd00:10:244::3\n');
    expect(heard[0]?.body).toBeUndefined();
    expect(JSON.parse((await podwire('detach', 'web', '-o', 'json', '--socket', socket)).out)).toEqual(body);
  });
});

describe('apply and delete', () => {
  const MANIFEST =
    'apiVersion: podwire.dev/v1\nkind: Network\nmetadata: {name: backend}\nspec: {mode: bridge}\n---\n' +
    'apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n';

  it('puts every document and says what came of it', async () => {
    const { socket, heard } = await fakeApi({
      'PUT /v1/networks/backend': { status: 201, result: 'created', body: BACKEND },
      'PUT /v1/pods/default/web': { result: 'unchanged', body: WEB },
    });
    const { out, status } = await podwire('apply', '-f', file(MANIFEST), '--socket', socket);
    expect({ out, status }).toEqual({
      out: 'network/backend created\npod/default/web unchanged\n',
      status: 0,
    });
    expect(heard[0]?.body).toEqual({
      apiVersion: 'podwire.dev/v1',
      kind: 'Network',
      metadata: { name: 'backend' },
      spec: { mode: 'bridge' },
    });
  });

  it('goes on after a refused document, and fails', async () => {
    const refusal = { error: { code: 'INVALID', message: 'spec.mode: no', field: 'spec.mode' } };
    const { socket } = await fakeApi({
      'PUT /v1/networks/backend': { status: 400, body: refusal },
      'PUT /v1/pods/default/web': { result: 'configured', body: WEB },
    });
    const { out, err, status } = await podwire('apply', '-f', file(MANIFEST), '--socket', socket);
    expect(out).toBe('pod/default/web configured\n');
    expect(err).toBe(
      'error: INVALID: spec.mode: no (network/backend)\nerror: APPLY_FAILED: 1 document of 2 refused\n',
    );
    expect(status).toBe(1);
  });

  it('sends nothing when a document has no place', async () => {
    const { socket, heard } = await fakeApi({});
    const text = `${MANIFEST}---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: x}\n`;
    const { err, status } = await podwire('apply', '-f', file(text), '--socket', socket);
    expect(err).toMatch(/^error: UNSUPPORTED: kind: /);
    expect({ status, heard }).toEqual({ status: 1, heard: [] });
  });

  it('deletes one, or a file’s documents from the last to the first', async () => {
    const { socket, heard } = await fakeApi({
      'DELETE /v1/networks/backend': { body: BACKEND },
      'DELETE /v1/pods/default/web': { body: WEB },
    });
    expect((await podwire('delete', 'net', 'backend', '--socket', socket)).out).toBe(
      'network/backend deleted\n',
    );
    const { out } = await podwire('delete', '-f', file(MANIFEST), '--socket', socket);
    expect(out).toBe('pod/default/web deleted\nnetwork/backend deleted\n');
    expect(heard.map(({ url }) => url).slice(1)).toEqual(['/v1/pods/default/web', '/v1/networks/backend']);
  });

  it('fails on what is not there, unless told to pass over it', async () => {
    const { socket } = await fakeApi({});
    expect((await podwire('delete', 'pod', 'web', '--socket', socket)).status).toBe(1);
    const quiet = await podwire('delete', 'pod', 'web', '--ignore-not-found', '--socket', socket);
    expect(quiet).toEqual({ out: '', err: '', status: 0 });
  });
});
