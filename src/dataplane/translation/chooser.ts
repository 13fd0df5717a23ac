/**
 * Which backend a new connection gets, and whether one keeps the backend that it has.
 *
 * The choice is made by an unkeyed hash of the connection, or of the client where the service has affinity, so that every node makes
 * the same one. The client's address stays as it is wherever the answers come back to this node by themselves; else the
 * connection comes from the switch's address (TranslationSpec.masquerade): where the backend is the client itself or behind the
 * same port, as two programs of the node are, and where a client that is behind the node's kernel gets a backend that is not on this node.
 */
import { PROTOCOL } from '../../wire/ipv4.js';
import * as tcp from '../../wire/tcp.js';
import type { Context } from '../element.js';
import { FlowKey } from '../flows/flow-key.js';
import { OPEN } from '../flows/flow-table.js';
import { KIND } from '../pool.js';
import { choiceHash, clientHash } from '../services/choice-hash.js';
import { ELSEWHERE, NOBODY, type Service, STATE } from '../services/service.js';
import { SCOPE } from '../services/service-table.js';
import { mix32 } from '../tables/hash.js';
import { SERVICES } from '../tables/next-hops.js';
import { Clients } from './clients.js';
import { PathToBackend } from './path.js';
import { readTuple, ZONE } from './tuple.js';

/** What `choose` answers. */
export const CHOICE = { NO_SERVICE: 0, NOBODY: 1, ELSEWHERE: 2, CHOSEN: 3 } as const;

/** Bits of the kind of a decision about a flow. */
export const DECISION = {
  /** `target` is the next hop of the way to the backend, or -1; `argument` that of answers. */
  TRANSLATE: 1,
  /** Policy lets it pass, or refuses it. Without TRANSLATE, `target` and `argument` name the rules for egress and ingress. */
  ADMIT: 2,
  REFUSE: 4,
} as const;

/** Other source ports that are tried where a connection with the same backend has the client's own. */
const SOURCE_PORTS = 32;
const FIRST_PORT = 1024;

export class Chooser {
  private readonly original: FlowKey;
  private readonly reply: FlowKey;
  private readonly clients: Clients;
  private readonly path: PathToBackend;
  /** Of the last choice. */
  private service: Service | undefined;
  private backend = -1;
  private isNodeScope = false;

  constructor(private readonly context: Context) {
    this.original = new FlowKey(context.flows.hash);
    this.reply = new FlowKey(context.flows.hash);
    this.clients = new Clients(context);
    this.path = new PathToBackend(context);
  }

  /** Chooses for a packet with ports. One of CHOICE; where it is CHOSEN, `open` is next. */
  choose(slot: number): number {
    if (!this.findService(slot)) return CHOICE.NO_SERVICE;
    this.backend = this.pick();
    if (this.backend === ELSEWHERE) return CHOICE.ELSEWHERE;
    return this.backend === NOBODY ? CHOICE.NOBODY : CHOICE.CHOSEN;
  }

  /** Opens a flow from the client to the backend that was chosen. Its handle, or one of OPEN. */
  open(slot: number, flags: number): number {
    const { flows, millis, pool } = this.context;
    const { original, reply } = this;
    this.writeReply(slot);
    const client = reply.ports & 0xffff;
    let handle = flows.open(original, reply, pool.port[slot], flags, millis);
    for (let i = 0; handle === OPEN.clash && i < SOURCE_PORTS; i++) {
      // Where the original way is what clashes, another engine has opened the flow: the caller looks again.
      if (flows.lookup(original, millis) >= 0) return handle;
      reply.seal(reply.subject, (reply.ports & ~0xffff) | otherPort(client, i, original.from));
      handle = flows.open(original, reply, pool.port[slot], flags, millis);
    }
    if (handle >= 0) this.decide(slot, handle);
    return handle;
  }

  /**
   * Whether a flow that was looked up, and was decided about in another generation, keeps its backend: then it is decided about
   * anew.
   */
  keeps(slot: number, handle: number): boolean {
    if (!this.findService(slot)) return false;
    this.readReply(handle, slot);
    const isTcp = this.context.pool.protocol[slot] === PROTOCOL.TCP;
    this.backend = this.indexOf();
    if (!this.mayStay(isTcp)) return false;
    this.decide(slot, handle);
    return true;
  }

  /** Whether a TCP packet begins a connection. */
  isFirst(slot: number): boolean {
    const { pool } = this.context;
    const flags = tcp.flags(pool.view, pool.l4[slot]);
    return (flags & (tcp.FLAG.SYN | tcp.FLAG.ACK | tcp.FLAG.RST)) === tcp.FLAG.SYN;
  }

  private mayStay(isTcp: boolean): boolean {
    const service = this.service!;
    if (this.backend < 0) return isTcp && service.drains;
    const state = service.state(this.backend, this.isNodeScope);
    // Of a backend that is not in the scope any more, as after a change of policy, the cluster's state counts.
    const known = state === STATE.ABSENT ? service.state(this.backend, false) : state;
    return known !== STATE.UNREADY || isTcp;
  }

  /** Sets `original`, `service` and `isNodeScope`. */
  private findService(slot: number): boolean {
    const { pool, services, tables } = this.context;
    const { original } = this;
    readTuple(pool, slot, original);
    const kind = tables.nextHops.services[pool.info[slot]];
    const frontend = this.findFrontend(pool.kind[slot] === KIND.IPV4, pool.protocol[slot], kind);
    if (frontend < 0) return false;
    const service = services.service(frontend)!;
    // Published ports of other nodes are not known here, and what else comes from there was looked up there.
    if ((kind === SERVICES.PEER && service.isOwn) || (kind === SERVICES.OWN && !service.isOwn)) return false;
    this.service = service;
    const scope = services.scope(frontend);
    this.isNodeScope = scope === SCOPE.LOCAL || (scope === SCOPE.SPLIT && this.clients.isOutside(slot));
    return true;
  }

  private findFrontend(isIpv4: boolean, protocol: number, kind: number): number {
    const { services } = this.context;
    const { destination: to, ports } = this.original;
    const port = ports & 0xffff;
    const frontend = isIpv4
      ? services.find4(to[3], protocol, port)
      : services.find6(to[0], to[1], to[2], to[3], protocol, port);
    return frontend < 0 && kind >= SERVICES.NODE ? services.findNode(!isIpv4, protocol, port) : frontend;
  }

  private pick(): number {
    const service = this.service!;
    const { original, isNodeScope } = this;
    if (service.affinityMs === 0) return service.choose(choiceHash(original), isNodeScope);
    const { affinity, millis } = this.context;
    const known = affinity.find(service, original, isNodeScope, millis);
    if (known >= 0) return known;
    const index = service.choose(clientHash(original), isNodeScope);
    if (index >= 0) affinity.keep(service, original, index, millis);
    return index;
  }

  /** The tuple of the answers: from the backend to the client, or to the switch in its place. */
  private writeReply(slot: number): void {
    const { original, reply, backend } = this;
    const service = this.service!;
    reply.mirror(original, ZONE);
    const width = service.isIpv6 ? 4 : 1;
    for (let i = 0; i < width; i++) reply.source[4 - width + i] = service.word(backend, i);
    this.path.find(slot, reply.source);
    const isOwn = isSame(reply.source, original.source, service.isIpv6);
    // Behind the port that the client is behind, too: the answer would not come here.
    const isBeside = this.path.port === this.context.pool.port[slot];
    if (isOwn || isBeside || (this.clients.isBehindNode(slot) && !this.path.isLocal))
      this.masquerade(service.isIpv6);
    reply.seal(reply.subject, (service.port(backend) << 16) | (original.ports >>> 16));
  }

  private masquerade(isIpv6: boolean): void {
    const { masquerade4, masquerade6 } = this.context.tables.translation;
    const { destination } = this.reply;
    if (!isIpv6 && masquerade4.length === 1) destination[3] = masquerade4[0];
    else if (isIpv6 && masquerade6.length === 4) destination.set(masquerade6);
  }

  /** The backend's address and port of a known flow, into `reply`. */
  private readReply(handle: number, slot: number): void {
    const { flows, pool } = this.context;
    const { reply } = this;
    const other = handle ^ 1;
    reply.ports = flows.tupleWord(other, 2);
    if (pool.kind[slot] === KIND.IPV4) reply.source[3] = flows.tupleWord(other, 0);
    else for (let i = 0; i < 4; i++) reply.source[i] = flows.addressWord(other, i);
  }

  private indexOf(): number {
    const service = this.service!;
    const { source, ports } = this.reply;
    const port = ports >>> 16;
    if (!service.isIpv6) return service.indexOf4(source[3], port);
    return service.indexOf6(source[0], source[1], source[2], source[3], port);
  }

  /** Notes the way to the backend, and that answers come in where it leads. */
  private decide(slot: number, handle: number): void {
    const { context, path } = this;
    const { flows } = context;
    path.find(slot, this.reply.source);
    if (path.port >= 0) context.tracked[path.port] = 1;
    const { state } = flows.found;
    flows.decide(handle, state, DECISION.TRANSLATE, path.hop, -1, context.generation);
  }
}

function isSame(a: Int32Array, b: Int32Array, isIpv6: boolean): boolean {
  if (a[3] !== b[3]) return false;
  return !isIpv6 || (a[0] === b[0] && a[1] === b[1] && a[2] === b[2]);
}

/** Spread over all ports that users may have; the same for the same connection and try. */
function otherPort(port: number, attempt: number, client: number): number {
  const spread = mix32((Math.imul(port + 1, 0x9e37_79b1) + Math.imul(attempt + 1, 0x85eb_ca6b)) ^ client);
  return FIRST_PORT + ((spread >>> 0) % (0x1_0000 - FIRST_PORT));
}
