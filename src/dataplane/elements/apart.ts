/**
 * Apart: packets for a network that the sender's is kept apart from. Their route says so (control/compile-apart.ts), and the
 * note that names both networks; here it is counted and remembered, as what a policy refuses is.
 *
 * `info` is the next hop. Output `refused`: to be answered with an error, which counts the drop.
 */
import type { Batch } from '../batch.js';
import type { Context, Element } from '../element.js';
import type { Enforcer } from '../policy/enforcer.js';

export class Apart implements Element {
  readonly name = 'apart';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly enforcer: Enforcer,
    private readonly refused: Batch,
  ) {}

  process(batch: Batch): void {
    const { pool, tables } = this.context;
    const { gateway } = tables.nextHops;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      this.enforcer.refuseApart(slot, gateway[pool.info[slot] * 4]);
      this.refused.push(slot);
    }
  }
}
