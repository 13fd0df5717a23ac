/**
 * Several nodes on one underlay, each a network namespace with a daemon of its own, pods in others; all removed
 * again whatever happens.
 *
 *     pods ── node a: u0 192.168.77.1 ─┐
 *     pods ── node b: u0 192.168.77.2 ─┼── br0 in `wire`, MTU 1500
 *     pods ── node c: u0 192.168.77.3 ─┘   (over IPv6: fd77::1 …)
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AttachAnswer, AttachRequest, Node, StatusAnswer } from '../../src/control/api/types.js';
import { type Answer, DaemonBench, type RunningDaemon, until } from './daemon-support.js';

export const UNDERLAY = 'u0';
const API_PORT = 7443;

export type Family = 4 | 6;

interface ClusterNode {
  readonly name: string;
  address: string;
  daemon?: RunningDaemon;
}

/** A DaemonBench whose socket and data are those of one node at a time. */
export class ClusterBench extends DaemonBench {
  private readonly nodes = new Map<string, ClusterNode>();
  readonly tokenFile = join(this.directory, 'token');
  /** What nodes know each other by; certificates are given as flags. */
  trust: 'token' | 'certificates' = 'token';

  constructor(private readonly family: Family = 4) {
    super();
    writeFileSync(this.tokenFile, 'token-of-the-tests\n', { mode: 0o600 });
    const wire = this.namespace('wire');
    execFileSync('ip', ['-n', wire, 'link', 'add', 'br0', 'type', 'bridge']);
    execFileSync('ip', ['-n', wire, 'link', 'set', 'br0', 'up']);
  }

  /** A host on the underlay. */
  host(name: string): string {
    const number = this.nodes.size + 1;
    const address = this.family === 4 ? `192.168.77.${number}` : `fd77::${number}`;
    const [node, wire] = [this.namespace(name), this.name('wire')];
    const veth = ['type', 'veth', 'peer', 'name', name, 'netns', wire];
    execFileSync('ip', ['-n', node, 'link', 'add', UNDERLAY, ...veth]);
    execFileSync('ip', ['-n', wire, 'link', 'set', 'dev', name, 'master', 'br0', 'up']);
    const more = this.family === 4 ? [] : ['nodad'];
    const prefix = this.family === 4 ? 24 : 64;
    execFileSync('ip', ['-n', node, 'addr', 'add', `${address}/${prefix}`, 'dev', UNDERLAY, ...more]);
    execFileSync('ip', ['-n', node, 'link', 'set', UNDERLAY, 'up']);
    this.nodes.set(name, { name, address });
    return address;
  }

  address(name: string): string {
    return this.node(name).address;
  }

  /** The host has another underlay address from now on. */
  moveHost(name: string, address: string): void {
    this.node(name).address = address;
  }

  daemonOf(name: string): RunningDaemon {
    const { daemon } = this.node(name);
    if (!daemon) throw new Error(`${name} has no daemon`);
    return daemon;
  }

  url(name: string): string {
    const { address } = this.node(name);
    const scheme = this.trust === 'token' ? 'http' : 'https';
    return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${API_PORT}`;
  }

  /** Starts a host's daemon: joined to the node `to`, or the first of its cluster. */
  async startNode(name: string, flags: string[] = [], to?: string): Promise<RunningDaemon> {
    const node = this.node(name);
    node.daemon = await this.start([...this.flagsOf(name, to), ...flags], name);
    return node.daemon;
  }

  /** Starts a host's daemon that is expected to fail. */
  failNode(name: string, flags: string[], to?: string): Promise<{ status: number; text: string }> {
    return this.fail([...this.flagsOf(name, to), ...flags], name);
  }

  async endNode(name: string, signal: NodeJS.Signals): Promise<void> {
    const { daemon } = this.node(name);
    if (daemon) await this.end(daemon, signal);
  }

  /** Calls the API of one node. */
  ask<T = unknown>(name: string, method: string, path: string, body?: unknown): Promise<Answer<T>> {
    return this.callAt<T>(this.socketOf(name), method, path, body);
  }

  /** A namespace and a pod attached in it, by the same name, at a node. */
  async podAt(node: string, pod: string, request: Partial<AttachRequest> = {}): Promise<AttachAnswer> {
    this.namespace(pod);
    const body = { netns: this.path(pod), ...request };
    const path = `/v1/pods/default/${pod}/attach`;
    const answer = await this.ask<AttachAnswer>(node, 'POST', path, body);
    if (answer.status !== 200) throw new Error(`attach ${pod}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async status(name: string): Promise<StatusAnswer> {
    return (await this.ask<StatusAnswer>(name, 'GET', '/v1/status')).body;
  }

  async nodeOf(at: string, name: string): Promise<Node> {
    return (await this.ask<Node>(at, 'GET', `/v1/nodes/${name}`)).body;
  }

  /** Waits until a node sees these peers up and no others. */
  async seesUp(name: string, ...peers: string[]): Promise<boolean> {
    return until(async () => {
      const { peers: found } = await this.status(name);
      const up = found.filter(({ state }) => state === 'up').map((peer) => peer.name);
      return up.sort().join() === [...peers].sort().join();
    });
  }

  private flagsOf(name: string, to: string | undefined): string[] {
    const listen = this.url(name).replace(/^https?:\/\//, '');
    return [
      ...['--name', name, '--data', join(this.directory, name), '--socket', this.socketOf(name)],
      ...['--underlay', this.node(name).address, '--listen', listen],
      ...(this.trust === 'token' ? ['--token-file', this.tokenFile] : []),
      ...(to === undefined ? [] : ['--join', this.url(to)]),
    ];
  }

  private socketOf(name: string): string {
    return join(this.directory, `${name}.sock`);
  }

  private node(name: string): ClusterNode {
    const node = this.nodes.get(name);
    if (!node) throw new Error(`there is no host ${name}`);
    return node;
  }
}
