/**
 * What policy says about a connection between two ends: whether the one that opens it may send to the other, where that is a
 * port of this node, and whether the other may be sent to, where that is one.
 *
 * Before any rule: what a pod and its own node say to each other passes, as the API has it ("traffic to and from the node where a
 * Pod is running is always allowed"). The node is the port that leads to its kernel, with one of the node's addresses.
 */
import { PEER_EGRESS } from '../constants.js';
import { DROP } from '../drop-reasons.js';
import type { Context } from '../element.js';
import { IDENTITY_UNKNOWN, NO_NOTE } from '../policy-spec.js';
import { NO_TUNNEL } from '../tables.js';
import type { Ends } from './ends.js';
import { ASK } from './policy-table.js';

export class Judge {
  /** Of the last refusal: the drop reason, the rule, and ASK.INGRESS or EGRESS. */
  reason = 0;
  note = NO_NOTE;
  way: number = ASK.EGRESS;
  /** Of the last answer: which rule has let it pass at each end. */
  egressNote = NO_NOTE;
  ingressNote = NO_NOTE;

  constructor(private readonly context: Context) {}

  /** @param domain of the packet, where it is bridged; -1. */
  allows(ends: Ends, domain: number): boolean {
    this.egressNote = NO_NOTE;
    this.ingressNote = NO_NOTE;
    return this.maySend(ends, domain) && this.mayBeSent(ends, domain);
  }

  maySend(ends: Ends, domain: number): boolean {
    const { policies } = this.context;
    const { clientPort, serverPort, server } = ends;
    if (!this.asks(clientPort, ASK.EGRESS) || this.isNode(serverPort, server, ends.isIpv6)) return true;
    const identity = this.identityOf(serverPort, server, ends.isIpv6, domain);
    const { isIpv6, protocol, toPort } = ends;
    const isAllowed = policies.allows(ASK.EGRESS, clientPort, identity, server, isIpv6, protocol, toPort);
    this.egressNote = policies.note;
    if (!isAllowed) this.refuse(DROP['policy-egress'], ASK.EGRESS);
    return isAllowed;
  }

  mayBeSent(ends: Ends, domain: number): boolean {
    const { policies } = this.context;
    const { clientPort, serverPort, client } = ends;
    if (!this.asks(serverPort, ASK.INGRESS) || this.isNode(clientPort, client, ends.isIpv6)) return true;
    const identity = this.identityOf(clientPort, client, ends.isIpv6, domain);
    const { isIpv6, protocol, toPort } = ends;
    const isAllowed = policies.allows(ASK.INGRESS, serverPort, identity, client, isIpv6, protocol, toPort);
    this.ingressNote = policies.note;
    if (!isAllowed) this.refuse(DROP['policy-ingress'], ASK.INGRESS);
    return isAllowed;
  }

  private refuse(reason: number, way: number): void {
    this.reason = reason;
    this.way = way;
    this.note = this.context.policies.note;
  }

  private asks(port: number, what: number): boolean {
    return port < PEER_EGRESS && (this.context.policies.asks[port] & what) !== 0;
  }

  /** By its port where it has one here: nobody sends under another's address. */
  private identityOf(port: number, address: Int32Array, isIpv6: boolean, domain: number): number {
    const { policies, tables } = this.context;
    const known = port < PEER_EGRESS ? policies.identityOf(port) : IDENTITY_UNKNOWN;
    if (known !== IDENTITY_UNKNOWN) return known;
    // Only what comes from or goes to other nodes within a network that spans them has that network's addresses.
    const isAcross =
      domain >= 0 && (port >= PEER_EGRESS || (port === tables.tunnel.port && port !== NO_TUNNEL));
    const zone = isAcross ? 1 + domain : 0;
    if (!isIpv6) return policies.find4(zone, address[3]);
    return policies.find6(zone, address[0], address[1], address[2], address[3]);
  }

  private isNode(port: number, address: Int32Array, isIpv6: boolean): boolean {
    const { nodePort, node4, node6 } = this.context.tables.translation;
    if (port !== nodePort) return false;
    if (!isIpv6) return node4.includes(address[3]);
    for (let at = 0; at < node6.length; at += 4) if (isAt(node6, at, address)) return true;
    return false;
  }
}

function isAt(words: Int32Array, at: number, address: Int32Array): boolean {
  for (let i = 0; i < 4; i++) if (words[at + i] !== address[i]) return false;
  return true;
}
