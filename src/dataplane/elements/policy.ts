/**
 * Policy: drops what network policy does not let leave the sender's port or enter the receiver's (policy/enforcer.ts).
 *
 * Takes packets whose addresses are final and whose `egress` is chosen: routed ones before their length is looked at, bridged ones
 * before they leave. So what a service was asked for is judged by the backend that it has become, and an error about a length
 * tells nobody of what it may not reach. Where neither port asks, it costs two loads.
 *
 * Outputs: `ok`. Drops: policy-pending, policy-egress, policy-ingress, flow-invalid, flow-table-full.
 */
import type { Batch } from '../batch.js';
import type { Context, Element } from '../element.js';
import type { Enforcer } from '../policy/enforcer.js';

export class Policy implements Element {
  readonly name = 'policy';

  /** By place in the batch: what is asked, and where its connection may be found. */
  private readonly asked: Uint8Array;
  private readonly sought: Int32Array;

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly enforcer: Enforcer,
    private readonly ok: Batch,
    private readonly isBridged: boolean,
  ) {
    this.asked = new Uint8Array(input.capacity);
    this.sought = new Int32Array(input.capacity);
  }

  process(batch: Batch): void {
    const { context, enforcer, ok, asked, sought, isBridged } = this;
    if (!this.seek(batch)) {
      for (let i = 0; i < batch.count; i++) ok.push(batch.slots[i]);
      return;
    }
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      if (asked[i] === 0 || enforcer.admits(slot, isBridged, asked[i], sought[i])) ok.push(slot);
      else context.drop(slot, enforcer.reason);
    }
  }

  /** Whether anything is asked. Brings what is looked for near, that of all packets at a time. */
  private seek({ slots, count }: Batch): boolean {
    const { enforcer, asked, sought } = this;
    let any = 0;
    for (let i = 0; i < count; i++) {
      asked[i] = enforcer.asked(slots[i]);
      any |= asked[i];
    }
    if (any === 0) return false;
    for (let i = 0; i < count; i++) if (asked[i] !== 0) sought[i] = enforcer.seek(slots[i]);
    return true;
  }
}
