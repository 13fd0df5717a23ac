/**
 * Two nodes, and somebody outside, for tests of services with real programs:
 *
 *     client web1 …                 web2 other …                     outside
 *        └──┴─ node k1 ─┐   ┌─ node k2 ─┴──┘                            │
 *        192.168.77.1   │   │   192.168.77.2                 192.168.77.100
 *            fd77::1    └─ hub, a bridge: the underlay ─┘         fd77::100
 *
 * In pods nginx answers with its name and its client's address, and writes both into its log; a program of Python does the
 * same for datagrams. Who is asked how often is bounded: they run beside other tests.
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { AttachAnswer, AttachRequest } from '../../src/control/api/types.js';
import { missingPrograms, runIn, spawnIn } from '../support/netns-programs.js';
import { type ClusterNode, TestCluster } from './cluster-support.js';
import { missingForDaemon, outcome, until } from './daemon-support.js';

export const missingForServices = missingForDaemon() ?? missingPrograms('nft', 'curl', 'nginx', 'python3');

const PODWIRE = fileURLToPath(new URL('../../bin/podwire', import.meta.url));

export const FAMILIES = [4, 6] as const;
export type Family = (typeof FAMILIES)[number];

export const OUTSIDE = { 4: '192.168.77.100', 6: 'fd77::100' } as const;

/** What curl ends with. */
export const CURL = { OK: 0, REFUSED: 7, TIMEOUT: 28, RESET: 56 } as const;

/**
 * Asks with datagrams until there are as many different answers as wanted, each from a port of its own, sixty at most. Prints them, or
 * the name of the error that the kernel was told. A datagram that is found to be too big for the way is sent again.
 */
const ASK_UDP = `
import errno, socket, sys
host, port, size, wanted = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
def ask():
    with socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        for attempt in range(3):
            try:
                s.connect((host, port))
                s.send(b'x' * size)
                return s.recv(65535).rstrip(b'\\0 ').decode()
            except socket.timeout: return 'silence'
            except OSError as e:
                if e.errno != errno.EMSGSIZE: return errno.errorcode[e.errno]
answers = set()
for i in range(60):
    answers.add(ask())
    if len(answers) >= wanted or 'silence' in answers: break
print('\\n'.join(sorted(answers)))
`;

/** Answers datagrams with its name, the client's address and how much came; and with as many octets again if asked for. */
const SERVE_UDP = `
import socket, sys
name, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(('::', port))
while True:
    data, peer = s.recvfrom(65535)
    text = '%s %s %d' % (name, peer[0].replace('::ffff:', ''), len(data))
    # Whoever asks may be told that a datagram is too big, and so may we.
    for attempt in range(3):
        try:
            s.sendto(text.encode().ljust(len(data)), peer)
            break
        except OSError: pass
`;

export interface Heard {
  /** Of curl. */
  readonly status: number | null;
  /** Name of who answered. */
  readonly name: string;
  /** The client's address, as the server sees it. */
  readonly from: string;
}

export interface ServicePortIn {
  readonly [key: string]: unknown;
}

export class ServiceWorld {
  readonly cluster = new TestCluster();
  readonly k1: ClusterNode;
  readonly k2: ClusterNode;
  readonly outside: string;
  readonly ips = new Map<string, string[]>();
  private readonly nodeOf = new Map<string, ClusterNode>();
  private readonly children: ChildProcess[] = [];

  private constructor() {
    this.k1 = this.cluster.host('k1', 1);
    this.k2 = this.cluster.host('k2', 2);
    const outside = this.cluster.host('outside', 100);
    this.outside = outside.bench.name('host');
    for (const { bench, number } of [this.k1, this.k2, outside]) {
      bench.ip('host', 'address', 'add', `fd77::${number}/64`, 'dev', 'u0', 'nodad');
    }
    // As hosts have one: the kernel looks for a way to an address before it translates it.
    for (const { bench } of [this.k1, this.k2]) {
      for (const family of FAMILIES) bench.ip('host', 'route', 'add', 'default', 'via', OUTSIDE[family]);
    }
  }

  /** @param flags of both daemons */
  static async start(...flags: string[]): Promise<ServiceWorld> {
    const world = new ServiceWorld();
    const { cluster, k1, k2 } = world;
    try {
      await k1.start([...cluster.server(k1), '--zone', 'a', ...flags]);
      await k2.start([...cluster.joining(k1), '--zone', 'b', ...flags]);
    } catch (error) {
      await world.cleanup();
      throw error;
    }
    return world;
  }

  /** Namespace of a pod; `k1`, `k2` and `outside` are hosts. */
  at(who: string): string {
    if (who === 'outside') return this.outside;
    if (who === 'k1' || who === 'k2') return this[who].bench.name('host');
    return this.node(who).bench.name(who);
  }

  /** An address of a pod or host. */
  address(who: string, family: Family): string {
    if (who === 'outside') return OUTSIDE[family];
    if (who === 'k1' || who === 'k2') return family === 4 ? this[who].address : `fd77::${this[who].number}`;
    return this.ips.get(who)![family === 4 ? 0 : 1];
  }

  async pod(
    node: ClusterNode,
    name: string,
    body: Partial<AttachRequest> = {},
    namespace = 'default',
  ): Promise<AttachAnswer> {
    const answer = await node.bench.pod(name, body, namespace);
    this.ips.set(name, [...answer.ips]);
    this.nodeOf.set(name, node);
    return answer;
  }

  /** A pod with nginx on port 8080 and datagrams on port 5000. */
  async server(node: ClusterNode, name: string, body: Partial<AttachRequest> = {}): Promise<void> {
    await this.pod(node, name, body);
    await Promise.all([this.nginx(name), this.datagrams(name)]);
  }

  async nginx(name: string): Promise<void> {
    const folder = this.folder(name);
    writeFileSync(join(folder, 'conf'), nginxConf(name, folder));
    this.keep(spawnIn(this.at(name), 'nginx', '-p', folder, '-c', join(folder, 'conf'), '-e', 'stderr'));
    const isUp = async () => (await this.get(name, `http://127.0.0.1:8080/`)).name === name;
    if (!(await until(isUp))) throw new Error(`nginx did not start in ${name}`);
  }

  async datagrams(name: string, port = 5000): Promise<void> {
    this.keep(spawnIn(this.at(name), 'python3', '-c', SERVE_UDP, name, `${port}`));
    const isUp = async () => (await this.datagram(name, '127.0.0.1', port)).startsWith(name);
    if (!(await until(isUp))) throw new Error(`no answer to datagrams in ${name}`);
  }

  /** The folder that nginx of a pod serves below `/files/`. */
  folder(name: string): string {
    const folder = join(this.cluster.directory, name);
    mkdirSync(join(folder, 'files'), { recursive: true });
    return folder;
  }

  /** Clients that nginx of a pod has had, as its log says. */
  log(name: string): string[] {
    return readFileSync(join(this.folder(name), 'access.log'), 'utf8')
      .split('\n')
      .filter(Boolean);
  }

  /** One request by curl. */
  async get(who: string, url: string, ...flags: string[]): Promise<Heard> {
    const { status, text } = await this.run(who, 'curl', '-sS', '--max-time', '20', ...flags, url);
    const [name, from] = status === 0 ? text.trim().split(' ') : ['', ''];
    return { status, name, from };
  }

  /** What `count` connections say, at the same time: who answers, and whom they see. */
  async ask(who: string, url: string, count = 8): Promise<{ names: string[]; seen: string[] }> {
    const all = await Promise.all(Array.from({ length: count }, () => this.get(who, url)));
    const names = all.map(({ status, name }) => (status === 0 ? name : `status ${status}`));
    return { names: unique(names), seen: unique(all.map(({ from }) => from).filter(Boolean)) };
  }

  /** The same, until two have answered: that one of two is chosen eight times happens. */
  async askBoth(who: string, url: string): Promise<{ names: string[]; seen: string[] }> {
    let all = await this.ask(who, url);
    for (let round = 0; all.names.length < 2 && round < 4; round++) {
      const { names, seen } = await this.ask(who, url);
      all = { names: unique([...all.names, ...names]), seen: unique([...all.seen, ...seen]) };
    }
    return all;
  }

  /** The answer to one datagram; `silence` or an error's name. */
  async datagram(who: string, host: string, port: number, size = 10): Promise<string> {
    return (await this.answers(who, host, port, size, 1)).join();
  }

  /** Different answers to datagrams: `NAME CLIENT SIZE`. */
  async answers(who: string, host: string, port: number, size = 10, wanted = 2): Promise<string[]> {
    const words = [host, `${port}`, `${size}`, `${wanted}`];
    return (await this.run(who, 'python3', '-c', ASK_UDP, ...words)).text.trim().split('\n');
  }

  run(who: string, program: string, ...words: string[]) {
    return runIn(this.at(who), program, ...words);
  }

  spawn(who: string, program: string, ...words: string[]): ChildProcess {
    return this.keep(spawnIn(this.at(who), program, ...words));
  }

  /** The command line, asked at a node. */
  cli(node: ClusterNode, ...words: string[]): string {
    const env = { ...process.env, PODWIRE_SOCKET: node.bench.socket };
    return execFileSync(process.execPath, [PODWIRE, ...words], { env, encoding: 'utf8' });
  }

  /** A service with endpoints by `selector`, unless `spec` says otherwise. */
  async service(name: string, spec: object, metadata: object = {}, node = this.k2): Promise<string> {
    const { status, body } = await this.put(name, spec, metadata, node);
    if (status > 201) throw new Error(`service ${name}: ${JSON.stringify(body)}`);
    return (body as { spec: { clusterIP: string } }).spec.clusterIP;
  }

  put(name: string, spec: object, metadata: object = {}, node = this.k2) {
    const body = {
      ...{ apiVersion: 'v1', kind: 'Service' },
      metadata: { name, namespace: 'default', ...metadata },
      spec: { ipFamilyPolicy: 'RequireDualStack', ports: PORTS, selector: { app: 'web' }, ...spec },
    };
    return node.bench.call('PUT', `/v1/services/default/${name}`, body);
  }

  /** Addresses of a service, and its node ports by name. */
  async addresses(name: string): Promise<{ 4: string; 6: string; nodePorts: Record<string, number> }> {
    const { body } = await this.k1.bench.call<ServiceSeen>('GET', `/v1/services/default/${name}`);
    const { clusterIPs, ports } = body.spec;
    const nodePorts = Object.fromEntries(ports.map((port) => [port.name, port.nodePort ?? 0]));
    return { 4: clusterIPs[0], 6: clusterIPs[1], nodePorts };
  }

  /** What the pod says of itself. */
  async say(name: string, labels: object, annotations: object = {}): Promise<void> {
    const metadata = { name, namespace: 'default', labels, annotations };
    const { bench } = this.node(name);
    const answer = await bench.call('PUT', `/v1/pods/default/${name}`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata,
    });
    if (outcome(answer) !== '200') throw new Error(JSON.stringify(answer.body));
  }

  async cleanup(): Promise<void> {
    for (const child of this.children.splice(0)) await ended(child);
    await this.cluster.cleanup();
  }

  end(child: ChildProcess): Promise<void> {
    this.children.splice(this.children.indexOf(child), 1);
    return ended(child);
  }

  private node(pod: string): ClusterNode {
    const node = this.nodeOf.get(pod);
    if (!node) throw new Error(`there is no pod ${pod}`);
    return node;
  }

  private keep(child: ChildProcess): ChildProcess {
    this.children.push(child);
    child.stderr?.resume();
    return child;
  }
}

/** Named, so that one service has both. */
export const PORTS = [
  { name: 'http', port: 80, targetPort: 8080 },
  { name: 'echo', port: 50, targetPort: 5000, protocol: 'UDP' },
];

interface ServiceSeen {
  readonly spec: {
    readonly clusterIPs: string[];
    readonly ports: { readonly name: string; readonly nodePort?: number }[];
  };
}

/** As it stands in a URL. */
export function host(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

export function unique(words: string[]): string[] {
  return [...new Set(words)].sort();
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

/** One process, so that a signal to it ends all of it. */
function nginxConf(name: string, folder: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  return `
daemon off; master_process off; user root; pid ${folder}/pid;
events { worker_connections 256; }
http {
  ${temporary.join(' ')}
  log_format client '$remote_addr $server_addr $server_port';
  access_log ${folder}/access.log client;
  server {
    listen 8080; listen [::]:8080;
    location / { return 200 "${name} $remote_addr\\n"; }
    location /files/ { root ${folder}; }
  }
}
`;
}
