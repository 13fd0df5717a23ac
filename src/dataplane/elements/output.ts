/**
 * Output: hands packets to the port that an element before chose (`egress`), and those for a peer to the tunnel. What
 * their sender's port is limited in goes to the shaper first.
 *
 * Output `tunnel`. Drops (in Egress): port-down, tx-queue-full, no-slot; in the shaper, its own.
 */
import type { Batch } from '../batch.js';
import { PEER_EGRESS } from '../constants.js';
import type { Context, Element } from '../element.js';
import type { Outlet, Shaper } from '../shaping/shaper.js';

export class Output implements Element {
  readonly name = 'output';

  /** @param source limits what ports send; without it, that was done. */
  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outlet: Outlet,
    private readonly tunnel: Batch,
    private readonly source?: Shaper,
  ) {}

  process(batch: Batch): void {
    const { pool } = this.context;
    const { source } = this;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      if (source?.takes(slot)) continue;
      const egress = pool.egress[slot];
      if (egress < PEER_EGRESS) this.outlet.output(slot, egress);
      else this.tunnel.push(slot);
    }
  }
}
