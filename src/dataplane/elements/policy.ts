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

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly enforcer: Enforcer,
    private readonly ok: Batch,
    private readonly isBridged: boolean,
  ) {}

  process(batch: Batch): void {
    const { context, enforcer, ok, isBridged } = this;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      if (enforcer.admits(slot, isBridged)) ok.push(slot);
      else context.drop(slot, enforcer.reason);
    }
  }
}
