/**
 * MtuCheck: compares a packet with the MTU of its egress port or peer (RFC 1812 section 5.2.6, RFC 8200 section 5).
 *
 * A GSO packet counts as what its segments will be. IPv4 that may be fragmented is; IPv6 is fragmented by
 * whoever made it, which for echo replies is the switch.
 *
 * Outputs: `ok`; `fragment`; `tooBig`, with the MTU in `info`.
 */
import * as ipv4 from '../../wire/ipv4.js';
import type { Batch } from '../batch.js';
import type { Context, Element } from '../element.js';
import { segmentLength } from '../offload.js';
import { KIND, PACKET, type PacketPool } from '../pool.js';
import { egressMtu } from './egress-mtu.js';

export interface MtuCheckOutputs {
  readonly ok: Batch;
  readonly fragment: Batch;
  readonly tooBig: Batch;
}

export class MtuCheck implements Element {
  readonly name = 'mtu-check';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: MtuCheckOutputs,
  ) {}

  process(batch: Batch): void {
    const { outputs } = this;
    const { pool, tables } = this.context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const limit = egressMtu(tables, pool.egress[slot]);
      if (segmentLength(pool, slot) <= limit) {
        outputs.ok.push(slot);
      } else if (mayFragment(pool, slot)) {
        outputs.fragment.push(slot);
      } else {
        pool.info[slot] = limit;
        outputs.tooBig.push(slot);
      }
    }
  }
}

function mayFragment(pool: PacketPool, slot: number): boolean {
  if (pool.kind[slot] === KIND.IPV4) return !ipv4.dontFragment(pool.view, pool.l3[slot]);
  return (pool.flags[slot] & PACKET.ORIGINATED) !== 0;
}
