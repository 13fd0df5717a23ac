/**
 * The two ends of a connection, as policy asks for them: who has opened it, and who is spoken to. A scratch object, made once.
 *
 * A packet shows both; which is which its way tells. Of answers that were translated the server's address and port are
 * those of the connection, for the packet has the service's by now.
 */
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import type { Context } from '../element.js';
import { KIND } from '../pool.js';
import { isWithPorts } from '../translation/tuple.js';

/** Of what has no ports, or none that is known. */
export const NO_PORTS = -1;
/** Of frames that are not IP. */
export const NOT_IP = -1;

export class Ends {
  /** Ports of the switch, or egress numbers of peers. */
  clientPort = 0;
  serverPort = 0;
  /** Four words, of an IPv4 address the last one. */
  readonly client = new Int32Array(4);
  readonly server = new Int32Array(4);
  isIpv6 = false;
  protocol = 0;
  /** Of the transport protocol, or NO_PORTS. */
  fromPort: number = NO_PORTS;
  toPort: number = NO_PORTS;

  constructor(private readonly context: Context) {}

  /** @param isAnswer the packet goes to who has opened the connection. */
  read(slot: number, isAnswer: boolean): void {
    const { pool } = this.context;
    this.clientPort = isAnswer ? pool.egress[slot] : pool.port[slot];
    this.serverPort = isAnswer ? pool.port[slot] : pool.egress[slot];
    this.readAddresses(slot, isAnswer);
    this.readPorts(slot, isAnswer);
  }

  /** The same of a copy of a packet that goes to several ports. */
  readCopy(slot: number, egress: number): void {
    const { pool } = this.context;
    this.clientPort = pool.port[slot];
    this.serverPort = egress;
    this.readAddresses(slot, false);
    this.readPorts(slot, false);
  }

  /** The other end has opened it. */
  turn(): void {
    const { client, server, clientPort, fromPort } = this;
    this.clientPort = this.serverPort;
    this.serverPort = clientPort;
    this.fromPort = this.toPort;
    this.toPort = fromPort;
    for (let i = 0; i < 4; i++) {
      const word = client[i];
      client[i] = server[i];
      server[i] = word;
    }
  }

  private readAddresses(slot: number, isAnswer: boolean): void {
    const { pool } = this.context;
    const { view } = pool;
    const kind = pool.kind[slot];
    const from = isAnswer ? this.server : this.client;
    const to = isAnswer ? this.client : this.server;
    const l3 = pool.l3[slot];
    this.isIpv6 = kind === KIND.IPV6;
    for (let i = 0; i < 4; i++) {
      from[i] = this.isIpv6 ? ipv6.srcWord(view, l3, i) : 0;
      to[i] = this.isIpv6 ? ipv6.dstWord(view, l3, i) : 0;
    }
    if (kind !== KIND.IPV4) return;
    from[3] = view.getInt32(l3 + ipv4.SRC);
    to[3] = view.getInt32(l3 + ipv4.DST);
  }

  private readPorts(slot: number, isAnswer: boolean): void {
    const { pool } = this.context;
    const kind = pool.kind[slot];
    this.fromPort = NO_PORTS;
    this.toPort = NO_PORTS;
    this.protocol = kind === KIND.IPV4 || kind === KIND.IPV6 ? pool.protocol[slot] : NOT_IP;
    if (this.protocol === NOT_IP || !isWithPorts(pool, slot)) return;
    const first = pool.view.getUint16(pool.l4[slot]);
    const second = pool.view.getUint16(pool.l4[slot] + 2);
    this.fromPort = isAnswer ? second : first;
    this.toPort = isAnswer ? first : second;
  }
}
