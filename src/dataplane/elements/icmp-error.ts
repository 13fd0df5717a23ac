/**
 * IcmpError: tells the sender of a packet why it went no further (RFC 792, RFC 4443). One instance an error.
 *
 * The received packet is counted as dropped, with the error's reason; the error built around it is originated.
 * Nothing is sent where the RFCs forbid it (icmp-rules.ts), where the switch has no address in the sender's
 * domain to send from, and where the limiter refuses.
 *
 * `info` of the packet is the MTU for Packet Too Big and Fragmentation Needed, and the pointer for an ICMPv6
 * Parameter Problem. Output `out`: a packet to be routed.
 */
import * as icmp from '../../wire/icmp.js';
import * as icmpv6 from '../../wire/icmpv6.js';
import * as ipv4 from '../../wire/ipv4.js';
import * as ipv6 from '../../wire/ipv6.js';
import type { Batch } from '../batch.js';
import { DROP, type DropReasonName } from '../drop-reasons.js';
import type { Context, Element } from '../element.js';
import { buildError4, buildError6 } from '../icmp-build.js';
import type { IcmpLimiter } from '../icmp-limiter.js';
import { mayReport4, mayReport6 } from '../icmp-rules.js';
import { KIND } from '../pool.js';

export interface IcmpErrorSpec {
  /** Name of the element. */
  readonly name: string;
  readonly v4: { readonly type: number; readonly code: number };
  readonly v6: { readonly type: number; readonly code: number };
  readonly reason: DropReasonName;
  /** About a packet for the switch itself: sent from the address that it was for (RFC 4443 section 2.2 a). */
  readonly fromDestination?: boolean;
}

const UNREACHABLE_4 = icmp.TYPE.UNREACHABLE;
const UNREACHABLE_6 = icmpv6.TYPE.UNREACHABLE;

/** Every error that the router sends. */
export const ICMP_ERRORS = {
  expired: {
    name: 'icmp-time-exceeded',
    v4: { type: icmp.TYPE.TIME_EXCEEDED, code: icmp.TIME_EXCEEDED.TTL },
    v6: { type: icmpv6.TYPE.TIME_EXCEEDED, code: icmpv6.TIME_EXCEEDED.HOP_LIMIT },
    reason: 'ttl-expired',
  },
  noRoute: {
    name: 'icmp-no-route',
    v4: { type: UNREACHABLE_4, code: icmp.UNREACHABLE.NETWORK },
    v6: { type: UNREACHABLE_6, code: icmpv6.UNREACHABLE.NO_ROUTE },
    reason: 'no-route',
  },
  unreachable: {
    name: 'icmp-unreachable',
    v4: { type: UNREACHABLE_4, code: icmp.UNREACHABLE.HOST },
    v6: { type: UNREACHABLE_6, code: icmpv6.UNREACHABLE.ADDRESS },
    reason: 'unreachable',
  },
  /** RFC 1812 section 5.2.7.1: communication administratively prohibited. */
  apart: {
    name: 'icmp-apart',
    v4: { type: UNREACHABLE_4, code: icmp.UNREACHABLE.ADMINISTRATIVELY },
    v6: { type: UNREACHABLE_6, code: icmpv6.UNREACHABLE.PROHIBITED },
    reason: 'network-isolation',
  },
  neighbourUnknown: {
    name: 'icmp-neighbour-unknown',
    v4: { type: UNREACHABLE_4, code: icmp.UNREACHABLE.HOST },
    v6: { type: UNREACHABLE_6, code: icmpv6.UNREACHABLE.ADDRESS },
    reason: 'neighbour-unknown',
  },
  tooBig: {
    name: 'icmp-too-big',
    v4: { type: UNREACHABLE_4, code: icmp.UNREACHABLE.FRAGMENTATION_NEEDED },
    v6: { type: icmpv6.TYPE.PACKET_TOO_BIG, code: 0 },
    reason: 'too-big',
  },
  portUnreachable: {
    name: 'icmp-port-unreachable',
    v4: { type: UNREACHABLE_4, code: icmp.UNREACHABLE.PORT },
    v6: { type: UNREACHABLE_6, code: icmpv6.UNREACHABLE.PORT },
    reason: 'no-service',
    fromDestination: true,
  },
  refused: {
    name: 'icmp-refused',
    v4: { type: UNREACHABLE_4, code: icmp.UNREACHABLE.PORT },
    v6: { type: UNREACHABLE_6, code: icmpv6.UNREACHABLE.PORT },
    reason: 'no-endpoint',
    fromDestination: true,
  },
  protocolUnreachable: {
    name: 'icmp-protocol-unreachable',
    v4: { type: UNREACHABLE_4, code: icmp.UNREACHABLE.PROTOCOL },
    v6: { type: icmpv6.TYPE.PARAMETER_PROBLEM, code: icmpv6.PARAMETER_PROBLEM.NEXT_HEADER },
    reason: 'no-service',
    fromDestination: true,
  },
} as const satisfies Record<string, IcmpErrorSpec>;

export class IcmpError implements Element {
  readonly name: string;
  private readonly reason: number;
  private readonly isFragmentationNeeded: boolean;
  private readonly isPacketTooBig: boolean;
  private readonly isParameterProblem: boolean;
  private readonly source6 = new Uint32Array(4);

  constructor(
    private readonly context: Context,
    readonly input: Batch,
    private readonly out: Batch,
    private readonly limiter: IcmpLimiter,
    private readonly spec: IcmpErrorSpec,
  ) {
    this.name = spec.name;
    this.reason = DROP[spec.reason];
    this.isFragmentationNeeded =
      spec.v4.type === UNREACHABLE_4 && spec.v4.code === icmp.UNREACHABLE.FRAGMENTATION_NEEDED;
    this.isPacketTooBig = spec.v6.type === icmpv6.TYPE.PACKET_TOO_BIG;
    this.isParameterProblem = spec.v6.type === icmpv6.TYPE.PARAMETER_PROBLEM;
  }

  process(batch: Batch): void {
    const { pool, counters } = this.context;
    for (let i = 0; i < batch.count; i++) {
      const slot = batch.slots[i];
      counters.dropped(pool.port[slot], this.reason);
      const isReported = pool.kind[slot] === KIND.IPV4 ? this.report4(slot) : this.report6(slot);
      if (isReported) {
        counters.originated();
        this.out.push(slot);
      } else {
        pool.release(slot);
      }
    }
  }

  private report4(slot: number): boolean {
    const { context, spec } = this;
    const { pool, tables, counters, now } = context;
    if (!mayReport4(pool, slot)) return false;
    const { view } = pool;
    const l3 = pool.l3[slot];
    const domain = tables.ports.domain[pool.port[slot]];
    const source = spec.fromDestination === true ? ipv4.dst(view, l3) : (tables.domains.v4[domain] ?? 0);
    if (source === 0) return false;
    const isAllowed = this.isFragmentationNeeded
      ? this.limiter.takeAny(now)
      : this.limiter.take4(domain, ipv4.src(view, l3) | 0, now);
    if (!isAllowed) {
      counters.suppressedError();
      return false;
    }
    const rest = this.isFragmentationNeeded ? pool.info[slot] & 0xffff : 0;
    buildError4(context, slot, spec.v4.type, spec.v4.code, rest, source);
    return true;
  }

  private report6(slot: number): boolean {
    const { context, spec } = this;
    const { pool, tables, counters, now } = context;
    if (!mayReport6(pool, slot, this.isPacketTooBig)) return false;
    const { view } = pool;
    const domain = tables.ports.domain[pool.port[slot]];
    const src = pool.l3[slot] + ipv6.SRC;
    if (!this.loadSource6(slot, domain)) return false;
    const isAllowed = this.isPacketTooBig
      ? this.limiter.takeAny(now)
      : this.limiter.take6(
          domain,
          ipv6.word(view, src, 0) | 0,
          ipv6.word(view, src, 1) | 0,
          ipv6.word(view, src, 2) | 0,
          ipv6.word(view, src, 3) | 0,
          now,
        );
    if (!isAllowed) {
      counters.suppressedError();
      return false;
    }
    const rest = this.isPacketTooBig || this.isParameterProblem ? pool.info[slot] : 0;
    buildError6(context, slot, spec.v6.type, spec.v6.code, rest, this.source6);
    return true;
  }

  /** Loads the address that the error comes from into `source6`; false where there is none. */
  private loadSource6(slot: number, domain: number): boolean {
    const { source6, spec } = this;
    const { pool, tables } = this.context;
    const { v6 } = tables.domains;
    const l3 = pool.l3[slot];
    for (let i = 0; i < 4; i++) {
      source6[i] = spec.fromDestination === true ? ipv6.dstWord(pool.view, l3, i) : (v6[domain * 4 + i] ?? 0);
    }
    return (source6[0] | source6[1] | source6[2] | source6[3]) !== 0;
  }
}
