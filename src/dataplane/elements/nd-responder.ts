/**
 * NdResponder: answers neighbour solicitations (RFC 4861 section 7.2.4) for addresses that the switch knows,
 * in the name of their owner.
 *
 * The solicitation becomes the advertisement in place and leaves through the port that it came from. A
 * solicitation from `::` asks whether an address is taken (RFC 4862 section 5.4.3): its answer goes to all
 * nodes, and there is none for an address of the asker's own port. Unknown targets and advertisements go on
 * at layer 2. Router solicitations end here: addresses and routes are configured, not advertised. Only where the
 * domain has an uplink there may be routers, behind it, and they go on.
 * Learns sender addresses of unguarded ports where the domain asks for it.
 *
 * Outputs: `answer` with `egress` set, `forward`. Drops: malformed-nd, l4-checksum, ignored.
 */
import { isL4ChecksumRight, l4Checksum, pseudoIpv6 } from '../../wire/checksum.js';
import * as ethernet from '../../wire/ethernet.js';
import * as icmpv6 from '../../wire/icmpv6.js';
import { PROTOCOL } from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import * as nd from '../../wire/nd.js';
import type { Batch } from '../batch.js';
import { DROP } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { checkDiscovery } from '../neighbour-discovery.js';
import { PACKET } from '../pool.js';
import { NO_UPLINK } from '../tables/domain-table.js';
import { GUARD } from '../tables/port-table.js';
import { SWITCH_PORT } from '../tables.js';

/** ff02::1, all nodes of the link: its first word, signed, its last, and its MAC 33:33:00:00:00:01. */
const ALL_NODES_PREFIX = 0xff02_0000 | 0;
const ALL_NODES_GROUP = 1;
const ALL_NODES_MAC = { hi: 0x3333, lo: 1 } as const;

export class NdResponder implements Element {
  readonly name = 'nd-responder';

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly outputs: { readonly answer: Batch; readonly forward: Batch },
  ) {}

  process(batch: Batch): void {
    const { context } = this;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      const malformed = checkDiscovery(context.pool, slot);
      if (malformed >= 0) context.drop(slot, malformed);
      else if (this.isChecksumRight(slot)) this.respond(slot);
      else context.drop(slot, DROP['l4-checksum']);
    }
  }

  private isChecksumRight(slot: number): boolean {
    const { pool, checksum } = this.context;
    if ((pool.flags[slot] & (PACKET.PARTIAL_CHECKSUM | PACKET.CHECKSUM_VALID)) !== 0) return true;
    const l3 = pool.l3[slot];
    const l4 = pool.l4[slot];
    const length = l3 + pool.l3Length[slot] - l4;
    return isL4ChecksumRight(checksum, pseudoIpv6(pool.view, l3, PROTOCOL.ICMPV6, length), l4, length);
  }

  private respond(slot: number): void {
    const { context } = this;
    const { pool, tables } = context;
    const domain = pool.domain[slot];
    const l4 = pool.l4[slot];
    const type = icmpv6.type(pool.view, l4);
    if (tables.domains.learning[domain] === 1) this.learn(slot, type);
    if (type === icmpv6.TYPE.ROUTER_SOLICITATION && tables.domains.uplink[domain] === NO_UPLINK) {
      context.drop(slot, DROP.ignored);
      return;
    }
    const known =
      type === icmpv6.TYPE.NEIGHBOUR_SOLICITATION &&
      context.findNeighbour6(domain, pool.view, l4 + nd.TARGET) &&
      context.found.port !== pool.port[slot];
    if (known) this.answer(slot);
    else if (this.isForSwitch(slot, domain)) context.drop(slot, DROP.ignored);
    else this.outputs.forward.push(slot);
  }

  private isForSwitch(slot: number, domain: number): boolean {
    const { pool, tables } = this.context;
    const at = pool.at[slot];
    return (
      ethernet.dstLo(pool.view, at) === tables.domains.gatewayLo[domain] &&
      ethernet.dstHi(pool.view, at) === tables.domains.gatewayHi[domain]
    );
  }

  private answer(slot: number): void {
    const { pool, counters, found } = this.context;
    const { view } = pool;
    const l3 = pool.l3[slot];
    const l4 = pool.l4[slot];
    const isProbe = nd.isDuplicateDetection(view, l3);
    ethernet.turnAround(view, pool.at[slot], found.hi, found.lo);
    const t0 = nd.targetWord(view, l4, 0) | 0;
    const t1 = nd.targetWord(view, l4, 1) | 0;
    const t2 = nd.targetWord(view, l4, 2) | 0;
    const t3 = nd.targetWord(view, l4, 3) | 0;
    if (isProbe) {
      ethernet.setDst(view, pool.at[slot], ALL_NODES_MAC.hi, ALL_NODES_MAC.lo);
      ipv6.setAddress(view, l3 + ipv6.DST, ALL_NODES_PREFIX, 0, 0, ALL_NODES_GROUP);
    } else {
      ipv6.copyAddress(view, l3 + ipv6.DST, l3 + ipv6.SRC);
    }
    ipv6.setAddress(view, l3 + ipv6.SRC, t0, t1, t2, t3);
    let flags: number = nd.ADVERTISEMENT.OVERRIDE;
    if (!isProbe) flags |= nd.ADVERTISEMENT.SOLICITED;
    if (found.port === SWITCH_PORT) flags |= nd.ADVERTISEMENT.ROUTER;
    this.finish(slot, l3, l3 + ipv6.HEADER_LENGTH, flags, t0, t1, t2, t3);
    pool.egress[slot] = pool.port[slot];
    counters.consumed();
    counters.originated();
    this.outputs.answer.push(slot);
  }

  /** Extension headers of the solicitation, if any, are gone: the advertisement follows the fixed header. */
  private finish(
    slot: number,
    l3: number,
    l4: number,
    flags: number,
    t0: number,
    t1: number,
    t2: number,
    t3: number,
  ): void {
    const { pool, checksum, found } = this.context;
    const { view } = pool;
    const length = nd.NEIGHBOUR_LENGTH;
    ipv6.writeHeader(view, l3, 0, 0, length, PROTOCOL.ICMPV6, nd.NEIGHBOUR_HOP_LIMIT);
    nd.writeAdvertisement(view, l4, flags, t0, t1, t2, t3, found.hi, found.lo);
    const pseudo = pseudoIpv6(view, l3, PROTOCOL.ICMPV6, length);
    icmpv6.setChecksum(view, l4, l4Checksum(checksum, pseudo, l4, length));
    pool.l4[slot] = l4;
    pool.l3Length[slot] = ipv6.HEADER_LENGTH + length;
    pool.length[slot] = l4 + length - pool.at[slot];
    pool.flags[slot] = PACKET.ORIGINATED;
    pool.gsoType[slot] = 0;
  }

  private learn(slot: number, type: number): void {
    const { pool, tables, learned, now } = this.context;
    const port = pool.port[slot];
    if (tables.ports.guard[port] !== GUARD.ANYBODY) return;
    const { view } = pool;
    const l3 = pool.l3[slot];
    const l4 = pool.l4[slot];
    const isAdvertisement = type === icmpv6.TYPE.NEIGHBOUR_ADVERTISEMENT;
    const address = isAdvertisement ? l4 + nd.TARGET : l3 + ipv6.SRC;
    const option = isAdvertisement ? nd.OPTION.TARGET_LINK_LAYER : nd.OPTION.SOURCE_LINK_LAYER;
    const link = nd.findOption(view, l4, l3 + pool.l3Length[slot], option);
    if (link < 0 || ipv6.isUnspecified(view, address)) return;
    if (this.isConfigured(pool.domain[slot], address)) return;
    const hi = nd.linkLayerHi(view, link);
    if (ethernet.isMulticastHi(hi)) return;
    learned.learnIpv6(pool.domain[slot], view, address, hi, nd.linkLayerLo(view, link) | 0, port, now);
  }

  /** Whether the snapshot knows whose address lies at `address`: then packets cannot teach another owner. */
  private isConfigured(domain: number, address: number): boolean {
    const { pool, tables } = this.context;
    const { view } = pool;
    const w0 = ipv6.word(view, address, 0) | 0;
    const w1 = ipv6.word(view, address, 1) | 0;
    const w2 = ipv6.word(view, address, 2) | 0;
    return tables.neighbours.lookup6(domain, w0, w1, w2, ipv6.word(view, address, 3) | 0) >= 0;
  }
}
