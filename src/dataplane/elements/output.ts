/**
 * Output: hands packets to the port that an element before chose (`egress`).
 *
 * Drops (in Egress): port-down, tx-queue-full, no-slot.
 */
import type { Batch } from '../batch.js';
import type { Egress } from '../egress.js';
import type { Context, Element } from '../element.js';

export class Output implements Element {
  readonly name = 'output';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly egress: Egress,
  ) {}

  process(batch: Batch): void {
    const { pool } = this.context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      this.egress.output(slot, pool.egress[slot]);
    }
  }
}
