/**
 * ArpResponder: answers ARP requests (RFC 826) for addresses that the switch knows, in the name of their owner.
 *
 * The request becomes its answer in place and leaves through the port that it came from. Nothing is answered
 * for the asker's own address, so that address probes (RFC 5227) find no conflict with themselves. Requests
 * for unknown addresses, replies and announcements go on at layer 2, but for those addressed to the switch.
 * Learns sender addresses of unguarded ports where the domain asks for it.
 *
 * Outputs: `answer` with `egress` set, `forward`. Drops: ignored (for the switch, and nothing to say).
 */
import * as arp from '../../wire/arp.js';
import * as ethernet from '../../wire/ethernet.js';
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { PACKET } from '../pool.js';
import { GUARD } from '../tables/port-table.js';

export class ArpResponder implements Element {
  readonly name = 'arp-responder';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: { readonly answer: Batch; readonly forward: Batch },
  ) {}

  process(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) this.respond(batch.slots[i]);
  }

  private respond(slot: number): void {
    const { context } = this;
    const { pool, tables } = context;
    const l3 = pool.l3[slot];
    const domain = pool.domain[slot];
    if (tables.domains.learning[domain] === 1) this.learn(slot, l3, domain);
    const known =
      arp.operation(pool.view, l3) === arp.OP.REQUEST
        ? context.findNeighbour4(domain, arp.targetIp(pool.view, l3) | 0)
        : false;
    // An owner that asks for its own address probes or announces it (RFC 5227): nobody else has it.
    if (known && context.found.port !== pool.port[slot]) this.answer(slot, l3);
    else if (this.isForSwitch(slot, domain)) context.drop(slot, DROP.ignored);
    else this.outputs.forward.push(slot);
  }

  private answer(slot: number, l3: number): void {
    const { pool, counters, found } = this.context;
    const at = pool.at[slot];
    arp.turnIntoReply(pool.view, l3, found.hi, found.lo);
    ethernet.turnAround(pool.view, at, found.hi, found.lo);
    pool.flags[slot] = PACKET.ORIGINATED;
    pool.egress[slot] = pool.port[slot];
    counters.consumed();
    counters.originated();
    this.outputs.answer.push(slot);
  }

  private isForSwitch(slot: number, domain: number): boolean {
    const { pool, tables } = this.context;
    const at = pool.at[slot];
    return (
      ethernet.dstLo(pool.view, at) === tables.domains.gatewayLo[domain] &&
      ethernet.dstHi(pool.view, at) === tables.domains.gatewayHi[domain]
    );
  }

  private learn(slot: number, l3: number, domain: number): void {
    const { pool, tables, learned, now } = this.context;
    const port = pool.port[slot];
    const sender = arp.senderIp(pool.view, l3) | 0;
    if (tables.ports.guard[port] !== GUARD.ANYBODY || sender === 0) return;
    if (tables.neighbours.lookup4(domain, sender) >= 0) return;
    const hi = arp.senderMacHi(pool.view, l3);
    // RFC 1812 section 3.3.2: no host has a group address.
    if (ethernet.isMulticastHi(hi)) return;
    learned.learnIpv4(domain, sender, hi, arp.senderMacLo(pool.view, l3) | 0, port, now);
  }
}
