/**
 * Classify: where in a bridge domain a packet goes, by what it is and whom it is for.
 *
 * Untagged ARP and neighbour discovery go to their responders; packets for the switch's own MAC to the router;
 * IEEE 802.1D reserved addresses are not forwarded (section 7.12.6); the rest is forwarded at layer 2. The
 * switch's addresses live in the untagged network, so tagged packets for its MAC are dropped. Learns the
 * source of packets from unguarded ports where the domain asks for it. Answers of a service's backend to a client in its
 * own network are addressed to that client, and go to the router nevertheless, which translates them back.
 *
 * Outputs: `arp`, `discovery`, `route`, `forward`. Drops: link-protocol, vlan-not-routed, not-ip.
 */
import * as ethernet from '../../wire/ethernet.js';
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { isDiscovery } from '../neighbour-discovery.js';
import { KIND } from '../pool.js';
import { GUARD } from '../tables/port-table.js';
import type { Translator } from '../translation/translator.js';
import { isLinkProtocol } from './guard-rules.js';

export interface ClassifyOutputs {
  readonly arp: Batch;
  readonly discovery: Batch;
  readonly route: Batch;
  readonly forward: Batch;
}

export class Classify implements Element {
  readonly name = 'classify';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: ClassifyOutputs,
    private readonly translator: Pick<Translator, 'isKnown'>,
  ) {}

  process(batch: Batch): void {
    for (let i = 0; i < batch.count; i++) this.classify(batch.slots[i]);
  }

  private classify(slot: number): void {
    const { context, outputs } = this;
    const { pool } = context;
    const { view } = pool;
    const at = pool.at[slot];
    const hi = ethernet.dstHi(view, at);
    const lo = ethernet.dstLo(view, at);
    const { domains } = context.tables;
    const domain = pool.domain[slot];
    const kind = pool.kind[slot];
    if (domains.learning[domain] === 1) this.learn(slot, domain);
    if (pool.vlan[slot] === 0) {
      if (kind === KIND.ARP) {
        outputs.arp.push(slot);
        return;
      }
      if (kind === KIND.IPV6 && isDiscovery(pool, slot)) {
        outputs.discovery.push(slot);
        return;
      }
    }
    if (lo === domains.gatewayLo[domain] && hi === domains.gatewayHi[domain]) {
      if (domains.routed[domain] === 0) context.drop(slot, DROP.ignored);
      else if (pool.vlan[slot] !== 0) context.drop(slot, DROP['vlan-not-routed']);
      else if (kind === KIND.OTHER) context.drop(slot, DROP['not-ip']);
      else outputs.route.push(slot);
      return;
    }
    if (isLinkProtocol(hi, lo | 0)) context.drop(slot, DROP['link-protocol']);
    else if (context.tracked[pool.port[slot]] === 1 && this.isAnswer(slot, hi)) outputs.route.push(slot);
    else outputs.forward.push(slot);
  }

  /** Of a backend to a client in its own network: the router translates it back. */
  private isAnswer(slot: number, hi: number): boolean {
    const { pool, tables } = this.context;
    const kind = pool.kind[slot];
    if (pool.vlan[slot] !== 0 || (kind !== KIND.IPV4 && kind !== KIND.IPV6)) return false;
    if (tables.domains.routed[pool.domain[slot]] === 0 || ethernet.isMulticastHi(hi)) return false;
    return this.translator.isKnown(slot);
  }

  /**
   * Guarded ports have addresses that the snapshot knows; only the others can teach anything. Who is behind an uplink
   * need not be known: everything that nobody here has leads there.
   */
  private learn(slot: number, domain: number): void {
    const { context } = this;
    const { pool, tables, learned } = context;
    const port = pool.port[slot];
    if (tables.ports.guard[port] !== GUARD.ANYBODY) return;
    const at = pool.at[slot];
    const hi = ethernet.srcHi(pool.view, at);
    const lo = ethernet.srcLo(pool.view, at) | 0;
    if (tables.fdb.lookup(domain, hi, lo) >= 0) return;
    learned.learnMac(domain, pool.vlan[slot] & 0xfff, hi, lo, port, context.now);
  }
}
