/**
 * The graph: every element, and what its outputs lead to. This file is the wiring; nothing registers itself.
 *
 *     express ─► encapsulate, or to the port: what is common, in one go; the rest ─► parse
 *
 *     parse ─► source-guard ─► attachment ─► classify ─┬─► arp-responder ─┬─► forward ─┬─► policy ─► output
 *                                  │ direct            ├─► nd-responder ──┘      ▲     └─► flood ─► encapsulate
 *                                  ▼                   │                         │
 *                          policy ─► output            │    decapsulate ─────────┘ bridged
 *                                                      │         ▼ routed
 *                                                      │     clamp-mss
 *                                                      ▼         ▼
 *                                                     route-input ─► route-lookup ─► decrement-ttl
 *                                                                      │ local            │
 *                                     answers ─► route-lookup ◄── local ◄┐                ▼
 *                                                                  reassemble         next-hop ─► clamp-mss
 *                                                                                         ▼    to peers │
 *                                                                                       policy ◄────────┘
 *     routed ─► route-input ─► translate-back ─► route-lookup ─► service ─► route-lookup, or where the route leads
 *                                   └─► route-lookup (by the table for answers)  ├─► icmp-refused
 *                                                                                └─► reset ─► route-lookup
 *     ICMP errors (no route, expired, unknown neighbour, …) ─► route-lookup           mtu-check
 *     route-lookup, service ─► apart, for a network that is kept apart ─► icmp-apart      │
 *                                                                                         ├─► output
 *     output ─► encapsulate, for a peer ─► the tunnel's port                              └─► fragment ─► output
 *
 *     output, flood ─► shaper, where the sender's port is limited ─► output, flood ─► shaper, where the receiver's is
 *
 * What is bridged from and to peers passes clamp-mss, too.
 *
 * Elements run in the order of the list, so a batch usually passes in one sweep; what an error or an answer
 * sends back is done in a second one. It ends, since nothing that the switch made causes an error.
 */
import { Batch } from './batch.js';
import type { Egress } from './egress.js';
import type { Context, Element } from './element.js';
import { Apart } from './elements/apart.js';
import { ArpResponder } from './elements/arp-responder.js';
import { Attachment } from './elements/attachment.js';
import { ClampMss } from './elements/clamp-mss.js';
import { Classify } from './elements/classify.js';
import { Decapsulate } from './elements/decapsulate.js';
import { DecrementTtl } from './elements/decrement-ttl.js';
import { Encapsulate } from './elements/encapsulate.js';
import { Express } from './elements/express.js';
import { ExpressFlows } from './elements/express-flows.js';
import { Flood } from './elements/flood.js';
import { Forward } from './elements/forward.js';
import { Fragment } from './elements/fragment.js';
import { ICMP_ERRORS, IcmpError } from './elements/icmp-error.js';
import { Local } from './elements/local.js';
import { MtuCheck } from './elements/mtu-check.js';
import { NdResponder } from './elements/nd-responder.js';
import { NextHop } from './elements/next-hop.js';
import { Output } from './elements/output.js';
import { Parse } from './elements/parse.js';
import { Policy } from './elements/policy.js';
import { Reassemble } from './elements/reassemble.js';
import { Reset } from './elements/reset.js';
import { RouteInput } from './elements/route-input.js';
import { RouteLookup } from './elements/route-lookup.js';
import { Service } from './elements/service.js';
import { SourceGuard } from './elements/source-guard.js';
import { TranslateBack } from './elements/translate-back.js';
import { IcmpLimiter } from './icmp-limiter.js';
import { Admitted } from './policy/admitted.js';
import { Enforcer } from './policy/enforcer.js';
import { Prober } from './prober.js';
import type { Segmenter } from './segmenter.js';
import { type LimitsShare, Shaper } from './shaping/shaper.js';
import { Chooser } from './translation/chooser.js';
import { Translator } from './translation/translator.js';
import { Bundler } from './tunnel/bundler.js';
import { Joiner } from './tunnel/joiner.js';

export interface Graph {
  /** In the order in which they run. */
  readonly elements: readonly Element[];
  /** Where received frames go. */
  readonly input: Batch;
  /** Where datagrams go that the tunnel device has received. */
  readonly datagrams: Batch;
  /** Holds fragments between cycles. */
  readonly reassemble: Reassemble;
  /** Holds packets that must wait; what it lets go begins at the `output` that it is. */
  readonly shaper: Shaper;
  /** Connections that policy lets pass; what it has not told flows yet it tells in `sweep`. */
  readonly admitted: Admitted;
  /** Sends probes to peers through `output`, and hears their answers from `local`. */
  readonly prober: Prober;
}

/**
 * @param seed keys the hash tables of the limiters.
 * @param express false: every packet goes the long way, as only a comparison of both wants it.
 * @param limits what limits share with those of other engines.
 */
export function buildGraph(
  context: Context,
  egress: Egress,
  segmenter: Segmenter,
  seed: number,
  express = true,
  limits?: LimitsShare,
): Graph {
  const queue = (): Batch => new Batch(context.pool.capacity);
  const input = queue();
  const parse = express ? queue() : input;
  const datagrams = queue();
  const fromPeers = queue();
  const bridgedFromPeers = queue();
  const bridgedToPeers = queue();
  const guard = queue();
  const attachment = queue();
  const classify = queue();
  const arp = queue();
  const discovery = queue();
  const forward = queue();
  const flood = queue();
  const output = queue();
  const resumed = queue();
  const flooded = queue();
  const toPeers = queue();
  const tunnel = queue();
  const bridgedOut = queue();
  const routedOut = queue();
  const routed = queue();
  const connected = queue();
  const returning = queue();
  const lookup = queue();
  const services = queue();
  const translated = queue();
  const resets = queue();
  const apart = queue();
  const local = queue();
  const reassembly = queue();
  const ttl = queue();
  const nextHop = queue();
  const mtu = queue();
  const fragment = queue();
  const errors = {
    expired: queue(),
    noRoute: queue(),
    unreachable: queue(),
    apart: queue(),
    neighbourUnknown: queue(),
    tooBig: queue(),
    portUnreachable: queue(),
    refused: queue(),
    protocolUnreachable: queue(),
  } satisfies Record<keyof typeof ICMP_ERRORS, Batch>;

  const { pool, checksum, counters } = context;
  const encapsulate = new Encapsulate(
    context,
    tunnel,
    egress,
    new Bundler(pool, checksum, counters, segmenter),
    seed,
  );
  const shaper = new Shaper(context, egress, segmenter, resumed, flooded, seed, limits);
  const translator = new Translator(context, seed);
  const admitted = new Admitted(context, seed);
  const enforcer = new Enforcer(context, seed, express ? admitted : undefined);
  const fromTunnel: Element[] = [
    new Decapsulate(
      context,
      datagrams,
      { routed: fromPeers, bridged: bridgedFromPeers },
      new Joiner(pool, checksum, counters),
    ),
    new ClampMss(context, fromPeers, routed),
    new ClampMss(context, bridgedFromPeers, forward),
  ];
  const layer2: Element[] = [
    ...(express
      ? [
          new Express(
            context,
            input,
            egress,
            encapsulate,
            new ExpressFlows(context, input.capacity, seed),
            admitted,
            { rest: parse, translated, returning },
          ),
        ]
      : []),
    new Parse(context, parse, guard),
    new SourceGuard(context, guard, attachment),
    new Attachment(context, attachment, { domain: classify, direct: bridgedOut }),
    new Classify(context, classify, { arp, discovery, route: routed, forward }, translator),
    new ArpResponder(context, arp, { answer: output, forward }),
    new NdResponder(context, discovery, { answer: output, forward }),
    new Forward(context, forward, { known: bridgedOut, peer: bridgedToPeers, flood }),
    new ClampMss(context, bridgedToPeers, bridgedOut),
    new Policy(context, bridgedOut, enforcer, output, true),
    new Flood(context, flood, shaper, tunnel, enforcer, shaper),
  ];
  const reassemble = new Reassemble(context, reassembly, local);
  const prober = new Prober(context, output, seed);
  const toSwitch: Element[] = [
    reassemble,
    new Local(
      context,
      local,
      {
        answer: lookup,
        reassemble: reassembly,
        portUnreachable: errors.portUnreachable,
        protocolUnreachable: errors.protocolUnreachable,
      },
      prober,
    ),
  ];
  const routes = { forward: ttl, local, noRoute: errors.noRoute, unreachable: errors.unreachable, apart };
  const layer3: Element[] = [
    new RouteInput(context, routed, { ok: connected, local }),
    new TranslateBack(context, connected, translator, { ok: lookup, returning }),
    new RouteLookup(context, lookup, { ...routes, services }),
    new Service(context, services, translator, new Chooser(context), {
      ...routes,
      translated,
      refused: errors.refused,
      reset: resets,
    }),
    // What is translated goes on in the same sweep, and so before what comes later.
    new RouteLookup(context, translated, { ...routes, services }),
    new RouteLookup(context, returning, { ...routes, services }, true),
    new Reset(context, resets, lookup),
    new Apart(context, apart, enforcer, errors.apart),
    new DecrementTtl(context, ttl, { ok: nextHop, expired: errors.expired }),
    new NextHop(context, nextHop, { ok: routedOut, peer: toPeers, unknown: errors.neighbourUnknown }),
    new ClampMss(context, toPeers, routedOut),
    new Policy(context, routedOut, enforcer, mtu, false),
    new MtuCheck(context, mtu, { ok: output, fragment, tooBig: errors.tooBig }),
    new Fragment(context, fragment, output, segmenter),
  ];
  const limiter = new IcmpLimiter(seed);
  const errorElements = (Object.keys(errors) as (keyof typeof errors)[]).map(
    (name) => new IcmpError(context, errors[name], connected, limiter, ICMP_ERRORS[name]),
  );
  const out: Element[] = [
    new Output(context, output, shaper, tunnel, shaper),
    new Output(context, resumed, shaper, tunnel),
    new Flood(context, flooded, shaper, tunnel, enforcer),
    encapsulate,
  ];
  return {
    elements: [...fromTunnel, ...layer2, ...layer3, ...toSwitch, ...errorElements, ...out],
    input,
    datagrams,
    reassemble,
    shaper,
    admitted,
    prober,
  };
}
