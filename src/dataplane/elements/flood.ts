/**
 * Flood: to every port of the domain but the one that the packet came from.
 *
 * One slot with a reference for each port; nothing is copied. Ports whose MTU is too small are left out, as a
 * bridge does.
 *
 * Drops: no-other-port, where nobody was left; too-big, where only the MTU was in the way.
 */
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Egress } from '../egress.js';
import type { Context, Element } from '../element.js';
import { segmentLength } from '../offload.js';

export class Flood implements Element {
  readonly name = 'flood';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly egress: Egress,
  ) {}

  process(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) this.flood(batch.slots[i]);
  }

  private flood(slot: number): void {
    const { pool, counters, tables } = this.context;
    const { memberStart, memberCount, members } = tables.domains;
    const domain = pool.domain[slot];
    const length = segmentLength(pool, slot);
    const start = memberStart[domain];
    const end = start + memberCount[domain];
    let copies = 0;
    let others = 0;
    // A reference of our own until the end: an output may drop or segment its copy at once.
    for (let i = start; i < end; i++) {
      const port = members[i];
      if (port === pool.port[slot]) continue;
      others++;
      if (length > tables.ports.mtu[port]) continue;
      pool.share(slot, 1);
      this.egress.output(slot, port);
      copies++;
    }
    if (copies === 0) {
      this.context.drop(slot, DROP[others === 0 ? 'no-other-port' : 'too-big']);
      return;
    }
    pool.release(slot);
    counters.replicated(copies - 1);
  }
}
