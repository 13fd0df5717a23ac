/**
 * DecrementTtl: takes one from the TTL or hop limit of what is forwarded (RFC 1812 section 5.3.1, RFC 8200
 * section 3), and updates IPv4's header checksum by the difference (RFC 1624).
 *
 * What the switch says itself passes unchanged: it has not been forwarded yet.
 *
 * Outputs: `ok`; `expired`, unchanged, where nothing would be left.
 */
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import type { Batch } from '../batch.js';
import type { Context, Element } from '../element.js';
import { KIND, PACKET } from '../pool.js';

export class DecrementTtl implements Element {
  readonly name = 'decrement-ttl';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: { readonly ok: Batch; readonly expired: Batch },
  ) {}

  process(batch: Batch): void {
    const { outputs } = this;
    const { pool } = this.context;
    const { view } = pool;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const l3 = pool.l3[slot];
      if ((pool.flags[slot] & PACKET.ORIGINATED) !== 0) {
        outputs.ok.push(slot);
      } else if (pool.kind[slot] === KIND.IPV4) {
        if (ipv4.ttl(view, l3) <= 1) {
          outputs.expired.push(slot);
          continue;
        }
        ipv4.decrementTtl(view, l3);
        outputs.ok.push(slot);
      } else if (ipv6.hopLimit(view, l3) <= 1) {
        outputs.expired.push(slot);
      } else {
        ipv6.decrementHopLimit(view, l3);
        outputs.ok.push(slot);
      }
    }
  }
}
