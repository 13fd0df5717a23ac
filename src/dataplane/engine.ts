/**
 * The engine: packets in from devices, through the graph of elements, out to devices.
 *
 * It does no I/O of its own and owns no clock: the same engine runs in the worker, in tests, over a capture,
 * and many times over in one process. One cycle allocates nothing.
 */
import type { Checksum } from '../wire/checksum.js';
import type { Batch } from './batch.js';
import { Connections, type ConnectionsShare } from './connections.js';
import { Counters } from './counters.js';
import type { Device } from './device.js';
import { Egress } from './egress.js';
import { Context, type Element } from './element.js';
import { FlowRestorer } from './flows/flow-restore.js';
import { FlowUpkeep } from './flows/flow-upkeep.js';
import type { GossipShare } from './gossip.js';
import { buildGraph, type Graph } from './graph.js';
import { Learned } from './learned.js';
import type { PolicyChanges } from './policy-spec.js';
import { PacketPool } from './pool.js';
import type { Prober } from './prober.js';
import { Segmenter } from './segmenter.js';
import type { ServiceChanges } from './service-spec.js';
import type { LimitsShare, Shaper } from './shaping/shaper.js';
import { Tables, type TablesData } from './tables.js';

export interface EngineOptions {
  /** Packets that may exist at once. */
  readonly slots: number;
  /** Makes the checksum kernel over the pool's memory. */
  readonly checksum: (memory: WebAssembly.Memory) => Checksum;
  /** Keys the hash tables: secret in operation, fixed where runs must repeat. */
  readonly seed: number;
  /** Its place among engines that share ports, and forward in threads of their own. */
  readonly gossip?: GossipShare;
  /** Whether it probes peers and hears their answers: that engine alone which reads the tunnel. True without it. */
  readonly probes?: boolean;
  /** Whether common packets take the short way (elements/express.ts). True without it; false to compare both. */
  readonly express?: boolean;
  /** What limits of ports share with engines side by side. */
  readonly limits?: LimitsShare;
  /** Its place among engines that share connections; without it a small table of its own. */
  readonly connections?: ConnectionsShare;
}

export class Engine {
  readonly pool: PacketPool;
  readonly counters = new Counters();
  readonly context: Context;
  private readonly egress: Egress;
  private readonly graph: Graph;
  private readonly elements: readonly Element[];
  /** Of each element: asked of the elements themselves, which are of many shapes, they cost 300 ns a cycle. */
  private readonly inputs: readonly Batch[];
  private readonly probes: boolean;
  private readonly shaper: Shaper;
  private readonly upkeep: FlowUpkeep;

  constructor(options: EngineOptions) {
    this.pool = new PacketPool(options.slots);
    const checksum = options.checksum(this.pool.memory);
    const learned = new Learned(this.counters, options.seed, options.gossip);
    const connections = new Connections(options.seed, options.connections);
    this.context = new Context(this.pool, checksum, this.counters, learned, Tables.empty(), connections);
    this.upkeep = new FlowUpkeep(connections.flows);
    const segmenter = new Segmenter(this.pool, checksum, this.counters);
    this.egress = new Egress(this.pool, this.counters, segmenter);
    this.graph = buildGraph(
      this.context,
      this.egress,
      segmenter,
      options.seed,
      options.express,
      options.limits,
    );
    this.shaper = this.graph.shaper;
    this.elements = this.graph.elements;
    this.inputs = this.elements.map(({ input }) => input);
    this.probes = options.probes ?? true;
  }

  /** Of what came into force last, snapshot, services or policies. */
  get generation(): number {
    return this.context.generation;
  }

  /** Gives a port its device. The port is closed until a snapshot opens it. */
  attach(device: Device): void {
    this.counters.clearPort(device.port);
    this.upkeep.attach(device.port);
    this.context.policies.forgetPort(device.port);
    this.egress.attach(device);
  }

  /**
   * Takes a port's device away; nothing is sent to it any more. Of engines side by side, the one that reads the port
   * comes first, and the others when it is done: then none learns of the port again.
   */
  detach(port: number): void {
    const { learned, now, tracked, policies } = this.context;
    this.shaper.forgetPort(port);
    this.egress.detach(port);
    this.upkeep.detach(port);
    tracked[port] = 0;
    policies.forgetPort(port);
    learned.listen(now);
    learned.forgetPort(port);
  }

  /** Puts a compiled snapshot in force, from the next packet on. Called between cycles. */
  swap(data: TablesData): void {
    const { context } = this;
    const old = context.tables;
    context.learned.listen(context.now);
    context.tables = Tables.from(data);
    context.learned.swap(context.tables);
    const before = old.ports.domain;
    const after = context.tables.ports.domain;
    // What was learned behind a port holds only in the domain that it was learned in.
    for (let port = 0; port < before.length; port++) {
      if (before[port] !== after[port]) context.learned.forgetPort(port);
    }
    context.policies.follow(context.tables.ports.policed);
    context.follow();
    this.upkeep.swap(context.tables);
    this.shaper.swap(old, context.tables);
    // A prober that has seen no snapshot has nobody to probe.
    if (this.probes) this.prober.swap(old, context.tables);
  }

  /**
   * Puts what is different about services in force. Called between cycles. Throws TableError or AddressError where it cannot be, and
   * then has changed nothing.
   */
  changeServices(changes: ServiceChanges): void {
    this.context.services.change(changes);
    this.context.follow();
  }

  /** The same of policies. Throws TableError. */
  changePolicies(changes: PolicyChanges): void {
    this.context.policies.change(changes);
    this.context.follow();
  }

  /**
   * Takes up connections that another process knew, of ports that this engine reads: rows of flows/flow-rows.ts. Called between
   * cycles. Answers how many.
   */
  restoreFlows(rows: Int32Array, now: number): number {
    this.setTime(now);
    return new FlowRestorer(this.context.flows).restore(rows, this.context.millis);
  }

  /** One poll cycle without the waiting: takes what the first `count` devices have received, and forwards it. */
  cycle(ready: readonly Device[], count: number, now: number): void {
    this.setTime(now);
    // Through to the queues of the ports, before what has come later.
    if (this.shaper.release()) this.run();
    let packets = 0;
    for (let i = 0; i < count; i++) {
      const device = ready[i];
      packets += this.receive(
        device,
        device.carries === 'datagrams' ? this.graph.datagrams : this.graph.input,
      );
    }
    // After the last packet was read: what the first of two packets taught there is known before the second one here.
    this.context.learned.listen(now);
    this.run();
    this.egress.flush();
    this.counters.cycle(packets);
  }

  /**
   * Frees what has aged, lets go what has waited, and sends the probes that are due. Answers how long until the next time (ms), or -1 when
   * nothing waits for one.
   */
  sweep(now: number): number {
    this.setTime(now);
    this.context.learned.listen(now);
    const learned = this.context.learned.sweep(now);
    const held = this.graph.reassemble.sweep(now);
    const probe = this.prober.sweep(now);
    const flows = sooner(
      this.upkeep.sweep(now, this.context.millis),
      this.graph.admitted.sweep(this.context.millis),
    );
    if (this.shaper.release() || this.prober.hasQueued) {
      this.run();
      this.egress.flush();
    }
    return sooner(sooner(sooner(learned, held), flows), sooner(probe, this.shaper.untilNext()));
  }

  /** Finds out which peers answer. */
  get prober(): Prober {
    return this.graph.prober;
  }

  /** Slots that elements hold between cycles. */
  get held(): number {
    return this.graph.reassemble.held + this.shaper.held;
  }

  private setTime(now: number): void {
    this.context.setTime(now);
    this.shaper.setTime();
  }

  private receive(device: Device, input: Batch): number {
    const { pool, counters } = this;
    const packets = device.receive(input);
    let bytes = 0;
    for (let i = input.count - packets; i < input.count; i++) bytes += pool.length[input.slots[i]];
    if (packets > 0) counters.receivedBatch(device.port, packets, bytes);
    return packets;
  }

  private run(): void {
    const { elements, inputs } = this;
    for (let pending = true; pending; ) {
      pending = false;
      for (let i = 0; i < inputs.length; i++) {
        const input = inputs[i];
        if (input.count === 0) continue;
        elements[i].process(input);
        input.clear();
        pending = true;
      }
    }
  }
}

/** The earlier of two times until something, of which -1 is never. */
function sooner(a: number, b: number): number {
  if (a < 0) return b;
  return b < 0 ? a : Math.min(a, b);
}
