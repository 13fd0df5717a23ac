/**
 * What there is to say of a peer, from two sides: the underlay's (ICMP echo, from here) and the tunnel's (the
 * daemon's own probes through it). Where they disagree, the difference names the fault.
 *
 * A fault between nodes is a warning: this machine can run podwire all the same.
 */
import { familyOf } from '../../control/cidr.js';
import { TUNNEL_OVERHEAD } from '../../control/cluster/path-mtu.js';
import { formatMicros } from '../output/units.js';
import { type Finding, ok, warning } from './finding.js';
import type { Measured } from './peer-probe.js';

export interface Peer {
  readonly name: string;
  /** On the underlay. */
  readonly address: string;
  /** UDP port of its tunnel. */
  readonly port: number;
  /** As the daemon sees it; undefined: no daemon runs, the peer was named on the command line. */
  readonly tunnel?: { readonly state: string; readonly rttMicros: number | null };
  /** The largest packet of a pod for it, as the daemon has it. */
  readonly podMtu?: number | undefined;
}

/** Of what is fine, more lines than these say nothing. */
const MOST_LINES = 16;

/** @param measured undefined: not measured, since echo requests cannot be sent from here. */
export function judgePeer(peer: Peer, measured: Measured | undefined): Finding {
  const name = `peer ${peer.name}`;
  const found = [tunnelText(peer), underlayText(peer, measured)].filter(Boolean).join('; ');
  const fix = trouble(peer, measured);
  return fix === undefined ? ok(name, found) : warning(name, found, fix);
}

function tunnelText({ tunnel }: Peer): string {
  if (tunnel === undefined) return '';
  if (tunnel.state !== 'up') return tunnel.state === 'down' ? 'tunnel down' : 'the tunnel was never answered';
  return tunnel.rttMicros === null ? 'tunnel up' : `tunnel up, ${formatMicros(tunnel.rttMicros)}`;
}

function underlayText({ address }: Peer, measured: Measured | undefined): string {
  if (measured === undefined) return `${address} not asked by ICMP`;
  const { rttMicros, sent, answered, mtu } = measured;
  if (rttMicros === undefined) return `${address} does not answer ICMP`;
  const loss = answered === sent ? '' : `, ${sent - answered} of ${sent} lost`;
  const size = mtu === undefined ? '' : `, path MTU ${mtu}`;
  return `${address} answers ICMP in ${formatMicros(rttMicros)}${loss}${size}`;
}

/** What to do, the worst first; undefined where nothing is. */
function trouble(peer: Peer, measured: Measured | undefined): string | undefined {
  const { tunnel, name, address } = peer;
  const answers = measured?.rttMicros !== undefined;
  if (tunnel !== undefined && tunnel.state !== 'up') return deadTunnel(peer, measured);
  if (measured === undefined) return undefined;
  if (!answers) {
    return tunnel === undefined
      ? `is ${address} up, and is there a route: ip route get ${address}`
      : `let ICMP echo pass between the nodes: without it nobody finds out where large packets to ${name} vanish`;
  }
  if (measured.answered < measured.sent) {
    return `the underlay loses packets: look for errors on the way (ip -s link; ping -c 100 -i 0.2 ${address})`;
  }
  return narrowPath(peer, measured);
}

function deadTunnel({ name, address, port }: Peer, measured: Measured | undefined): string {
  const daemon = `see there that podwire status is ready and names this node`;
  if (measured === undefined) return `is ${name} up, does UDP ${port} pass both ways, and ${daemon}`;
  if (measured.rttMicros === undefined) {
    return `neither ICMP nor the tunnel answers: is ${name} up, and is there a route: ip route get ${address}`;
  }
  return (
    `underlay answers but the tunnel's probe does not: UDP port ${port} is filtered on the way or at ${name} ` +
    `(let it pass both ways: iptables -I INPUT -p udp --dport ${port} -j ACCEPT, and security groups), ` +
    `or its daemon does not run: ${daemon}`
  );
}

function narrowPath({ address, podMtu }: Peer, { mtu, kernelMtu }: Measured): string | undefined {
  if (mtu === undefined) {
    return 'ICMP of ordinary size gets no answer, so the path MTU cannot be looked for: let it pass';
  }
  if (mtu < kernelMtu) {
    return (
      `packets over ${mtu} bytes vanish and no ICMP says so (a black hole): let "fragmentation needed" and ` +
      `"packet too big" pass on the way, or lower the MTU of the interface to ${mtu} at both ends`
    );
  }
  const fits = mtu - TUNNEL_OVERHEAD[familyOf(address)];
  if (podMtu === undefined || podMtu <= fits) return undefined;
  return `pods may send ${podMtu} bytes and ${fits} fit: wait 10 s for the daemon to follow, then lower --mtu to ${fits}`;
}

/** With many peers, those that are fine share a line. */
export function fold(findings: readonly Finding[]): Finding[] {
  const fine = findings.filter(({ state }) => state === 'ok');
  if (findings.length <= MOST_LINES || fine.length < 2) return [...findings];
  return [ok('peers', `${fine.length} fine`), ...findings.filter(({ state }) => state !== 'ok')];
}
