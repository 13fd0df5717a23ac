/**
 * Forward: layer-2 forwarding within a bridge domain, by the destination MAC address.
 *
 * Known addresses (the snapshot's, then learned ones) leave through their port or for their peer; multicast,
 * broadcast and unknown ones are flooded. A bridge cannot tell a sender to send less, so what exceeds the MTU there
 * is dropped. What came out of the tunnel never goes back into it: each node sends to each other itself. VLAN tags
 * pass through; learned addresses are kept for each VLAN apart, a port's own MAC counts in all of them.
 *
 * A domain with an uplink knows who is on its own side: from there all else leaves through the uplink, instead of being
 * flooded, and what comes from the uplink for nobody here is dropped, since its interface hears everything.
 *
 * Outputs: `known` with `egress` set; `peer` likewise, with the peer in `info`; `flood`. Drops: same-port, too-big, not-for-us.
 */
import * as ethernet from '../../wire/ethernet.js';
import type { Batch } from '../batch.js';
import { PEER_EGRESS } from '../constants.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { segmentLength } from '../offload.js';
import type { PacketPool } from '../pool.js';
import { NO_UPLINK } from '../tables/domain-table.js';
import { egressMtu, tunnelLength } from './egress-mtu.js';

/** What `lookup` answers beside egress numbers. */
const FLOOD = -1;
const NOBODY = -2;

export class Forward implements Element {
  readonly name = 'forward';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: { readonly known: Batch; readonly peer: Batch; readonly flood: Batch },
  ) {}

  process(batch: Batch): void {
    const { context, outputs } = this;
    const { pool, tables } = context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const egress = this.lookup(slot);
      if (egress === FLOOD) {
        outputs.flood.push(slot);
      } else if (egress === NOBODY) {
        context.drop(slot, DROP['not-for-us']);
      } else if (
        egress === pool.port[slot] ||
        (egress >= PEER_EGRESS && pool.port[slot] === tables.tunnel.port)
      ) {
        context.drop(slot, DROP['same-port']);
      } else if (lengthFor(pool, slot, egress) > egressMtu(tables, egress)) {
        context.drop(slot, DROP['too-big']);
      } else {
        pool.egress[slot] = egress;
        if (egress < PEER_EGRESS) {
          outputs.known.push(slot);
        } else {
          pool.info[slot] = egress - PEER_EGRESS;
          outputs.peer.push(slot);
        }
      }
    }
  }

  /** An egress number, FLOOD or NOBODY. */
  private lookup(slot: number): number {
    const { pool, tables, learned, now } = this.context;
    const at = pool.at[slot];
    const hi = ethernet.dstHi(pool.view, at);
    if (ethernet.isMulticastHi(hi)) return FLOOD;
    const lo = ethernet.dstLo(pool.view, at) | 0;
    const domain = pool.domain[slot];
    const known = tables.fdb.lookup(domain, hi, lo);
    if (known >= 0) return known;
    const { learning, uplink } = tables.domains;
    const heard =
      learning[domain] === 0 ? -1 : learned.lookupMac(domain, pool.vlan[slot] & 0xfff, hi, lo, now);
    if (heard >= 0) return heard;
    const out = uplink[domain];
    if (out === NO_UPLINK) return FLOOD;
    return out === pool.port[slot] ? NOBODY : out;
  }
}

function lengthFor(pool: PacketPool, slot: number, egress: number): number {
  return egress < PEER_EGRESS ? segmentLength(pool, slot) : tunnelLength(pool, slot);
}
