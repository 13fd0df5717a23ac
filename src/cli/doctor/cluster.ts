/** This node among others: its end of the tunnel, the store, and every peer. */
import { execFileSync } from 'node:child_process';
import type { Node, ResourceList, StatusAnswer } from '../../control/api/types.js';
import { familyOf } from '../../control/cidr.js';
import { hostAddresses } from '../../control/host/addresses.js';
import { IcmpEcho, loadRawSocket } from '../../control/host/icmp-echo.js';
import { pathMtu } from '../../linux/path-mtu.js';
import type { ApiClient } from '../client.js';
import { type Finding, failed, ok, warning } from './finding.js';
import { aFewAtOnce, type Measured, measurePeer } from './peer-probe.js';
import { fold, judgePeer, type Peer } from './peers.js';
import { udpPortOwner } from './port-owner.js';
import { type FirewallRules, firewall, tunnelPort, type Underlay, underlayAddress } from './underlay.js';

/** What a daemon here would be given; one that runs knows itself. */
export interface ClusterQuestion {
  readonly underlay?: string | undefined;
  readonly port: number;
  /** Underlay addresses of other nodes. */
  readonly peers: readonly string[];
}

/** Nothing where neither the command line nor a daemon knows an underlay address. */
export async function cluster(
  client: ApiClient,
  status: StatusAnswer | undefined,
  question: ClusterQuestion,
): Promise<Finding[]> {
  const nodes = status === undefined ? [] : await nodesOf(client);
  const own = nodes.find(({ metadata }) => metadata.name === status?.node);
  const address = status?.underlay ?? question.underlay;
  const store = status?.store === undefined ? [] : [storeFinding(status.store)];
  if (address === undefined) return store;
  const port = own?.spec.underlay?.port ?? question.port;
  const underlay = { address, port, daemonPid: status?.underlay ? status.pid : undefined };
  const peers = [...knownPeers(status, nodes, port), ...namedPeers(question, status)];
  return [...(await ownEnd(underlay)), ...store, ...(await peerFindings(address, peers))];
}

async function nodesOf(client: ApiClient): Promise<Node[]> {
  try {
    return (await client.get<ResourceList<Node>>('/v1/nodes')).items;
  } catch {
    return []; // the status has the peers too, with less of each
  }
}

function knownPeers(status: StatusAnswer | undefined, nodes: readonly Node[], port: number): Peer[] {
  return (status?.peers ?? []).map(({ name, address, state, rttMicros }) => {
    const node = nodes.find(({ metadata }) => metadata.name === name);
    return {
      name,
      address,
      port: node?.spec.underlay?.port ?? port,
      tunnel: { state, rttMicros },
      podMtu: node?.status?.mtu,
    };
  });
}

function namedPeers({ peers, port }: ClusterQuestion, status: StatusAnswer | undefined): Peer[] {
  return peers
    .filter((address) => !status?.peers.some((peer) => peer.address === address))
    .map((address) => ({ name: address, address, port }));
}

async function ownEnd(underlay: Underlay): Promise<Finding[]> {
  const addresses = await hostAddresses();
  const findings = [underlayAddress(underlay, addresses)];
  if (addresses.some(({ address }) => address === underlay.address)) {
    findings.push(tunnelPort(underlay, await udpPortOwner(underlay.address, underlay.port)));
  }
  const wall = firewall(underlay.port, firewallRules());
  return wall === undefined ? findings : [...findings, wall];
}

export function storeFinding({ kind, connected, reason, since }: StatusAnswer['store']): Finding {
  const name = 'store';
  if (connected) return ok(name, `${kind}, connected since ${since}`);
  return failed(
    name,
    `${kind}, not connected since ${since}${reason === null ? '' : `: ${reason}`}`,
    kind === 'etcd'
      ? 'packets go on with what is known; is etcd up, and are the URLs of --store right?'
      : 'packets go on with what is known; is the node of --join up, its --listen reachable, and the token the same?',
  );
}

async function peerFindings(own: string, peers: readonly Peer[]): Promise<Finding[]> {
  if (peers.length === 0) return [];
  const raw = await loadRawSocket();
  if (typeof raw === 'string') return [noEcho(raw), ...fold(peers.map((peer) => judgePeer(peer, undefined)))];
  const echo = new IcmpEcho(raw);
  let trouble: Finding | undefined;
  const measure = async ({ address }: Peer): Promise<Measured | undefined> => {
    if (familyOf(address) !== familyOf(own)) return undefined;
    try {
      return await measurePeer(echo, address, () => pathMtu(address, own));
    } catch (error) {
      trouble ??= noEcho(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  };
  const findings = await aFewAtOnce(peers, async (peer) => judgePeer(peer, await measure(peer)));
  echo.close();
  return [...(trouble === undefined ? [] : [trouble]), ...fold(findings)];
}

function noEcho(reason: string): Finding {
  return warning(
    'ICMP echo',
    reason,
    'run the doctor as root, in the network namespace of the daemon; npm rebuild raw-socket, where that is missing',
  );
}

/** What the programs that are installed say; root's business. */
function firewallRules(): FirewallRules[] {
  const commands = [
    ['nft', 'list', 'ruleset'],
    ['iptables', '-S', 'INPUT'],
    ['ip6tables', '-S', 'INPUT'],
  ] as const;
  return commands.flatMap(([program, ...words]) => {
    try {
      const text = execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      return text.trim() === '' ? [] : [{ program, text }];
    } catch {
      return [];
    }
  });
}
