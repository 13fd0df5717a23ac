/**
 * One engine with the cluster of a state in it: tables compiled as a daemon compiles them, policies and services told as a daemon
 * tells them, devices in memory. A packet goes in, and what became of it comes out before the next one.
 *
 * Time is the capture's. The engine's clock begins at the first packet, so connections end here as they would have there.
 */

import { shareConnections } from '../../dataplane/connections.js';
import { InMemoryDevice } from '../../dataplane/devices/memory.js';
import { DIRECTION, TraceDevice } from '../../dataplane/devices/trace.js';
import { DROP_REASONS, type DropReasonName } from '../../dataplane/drop-reasons.js';
import { Engine } from '../../dataplane/engine.js';
import { DenialReader } from '../../dataplane/policy/denial-reader.js';
import { compileTables } from '../../dataplane/tables.js';
import { wasmChecksum } from '../../wire/checksum-kernel.js';
import { compile } from '../compile.js';
import { apartNetworks } from '../compile-apart.js';
import type { PolicyPlan } from '../policies/policy-plan.js';
import { planFor } from '../what-if/policy-state.js';
import type { CapturedPacket } from './captured-packet.js';
import { Entrance } from './entrance.js';
import { layoutOf, type ReplayLayout, type ReplayPort } from './layout.js';
import { servicesOf } from './services.js';
import type { PacketVerdict, ReplayState } from './types.js';

const SLOTS = 256;
const FLOWS = { least: 4096, most: 1 << 20 } as const;
/** Fixed: the same capture gives the same verdicts, and services the same backends. */
const SEED = 1;
const SWEEP_EVERY = 1000;

/** Is shown every frame that comes out, while it is in its slot. */
export type FrameTaker = (memory: DataView, at: number, length: number) => void;

export class ReplaySwitch {
  readonly layout: ReplayLayout;
  readonly plan: PolicyPlan;
  readonly entrance: Entrance;
  private readonly engine: Engine;
  private readonly inputs = new Map<number, InMemoryDevice>();
  private readonly names = new Map<number, string>();
  private readonly left: number[] = [];
  private readonly denials: DenialReader;
  private swept = 0;

  /**
   * @param packets how many will be replayed: there is room for twice as many connections.
   * @param taker of what comes out.
   * @throws PodwireError REPLAY_STATE
   */
  constructor(
    state: ReplayState,
    packets: number,
    private readonly taker?: FrameTaker,
  ) {
    const flows = Math.min(FLOWS.most, Math.max(FLOWS.least, 2 * packets));
    const connections = { ...shareConnections(flows, 1, SEED), own: 0, clockStart: 0 };
    this.engine = new Engine({ slots: SLOTS, seed: SEED, checksum: wasmChecksum, connections });
    this.denials = new DenialReader(connections.denials);
    this.layout = layoutOf(state);
    this.entrance = new Entrance(this.layout);
    this.plan = planFor(withPorts(state, this.layout));
    for (const port of this.layout.ports) this.attach(port);
    const { clusterCidrs } = state;
    const notes = this.plan.keepApart(apartNetworks(this.layout.plan.networks));
    this.engine.swap(compileTables(compile({ ...this.layout.plan, apart: { clusterCidrs, notes } })));
    this.engine.changeServices({ generation: 2, ...servicesOf(state) });
    this.engine.changePolicies({ generation: 3, ...this.plan.whole() });
  }

  /** @param now of the engine's clock (ms). */
  take(packet: CapturedPacket, port: ReplayPort, capture: DataView, now: number): PacketVerdict {
    const input = this.inputs.get(port.id)!;
    if (now - this.swept >= SWEEP_EVERY) this.sweep(now);
    const { counters } = this.engine;
    const before = { dropped: counters.total('dropped'), held: this.engine.held };
    const drops = this.dropsOf(port.id);
    this.left.length = 0;
    input.inject(this.entrance.frameOf(packet, port, capture));
    this.engine.cycle([input], 1, now);
    for (const id of this.left) this.inputs.get(id)?.take();
    const to = [...new Set(this.left)].map((id) => this.names.get(id)!);
    if (counters.total('dropped') > before.dropped) return this.dropped(port, drops, to);
    if (to.length > 0 && !this.isAnswer(port)) return { fate: 'forwarded', to };
    return { fate: this.engine.held > before.held ? 'waits' : 'answered', to };
  }

  private attach(port: ReplayPort): void {
    const { id, name } = port;
    const device = new InMemoryDevice({ context: this.engine, port: id, mtu: 65_535, name });
    const { pool } = this.engine;
    const shown = new TraceDevice(device, {
      packet: (direction, slot) => {
        if (direction !== DIRECTION.SENT) return;
        this.left.push(id);
        this.taker?.(pool.view, pool.at[slot], pool.length[slot]);
      },
    });
    this.engine.attach(shown);
    this.inputs.set(id, device);
    this.names.set(id, name);
  }

  /** Whether all that came out is what the switch itself has said to whoever sent the packet. */
  private isAnswer({ id }: ReplayPort): boolean {
    return this.left.every((port) => port === id);
  }

  private sweep(now: number): void {
    this.swept = now;
    this.engine.sweep(now);
  }

  private dropsOf(port: number): Float64Array {
    return Float64Array.from(DROP_REASONS, (_, reason) => this.engine.counters.portDrops(port, reason));
  }

  private dropped(port: ReplayPort, before: Float64Array, to: readonly string[]): PacketVerdict {
    const after = this.dropsOf(port.id);
    const index = after.findIndex((count, reason) => count > before[reason]!);
    const reason: DropReasonName = DROP_REASONS[index] ?? 'ignored';
    const isOfRule = reason.startsWith('policy-') || reason === 'network-isolation';
    const note = isOfRule ? this.lastNote() : undefined;
    return { fate: 'dropped', to, reason, ...(note && { note }) };
  }

  private lastNote() {
    const [last] = this.denials.recent(0, 1);
    return last && this.plan.noteOf(last.note);
  }
}

/** Every pod's interfaces with the ports that they have here: to the plan all pods are this node's. */
function withPorts(state: ReplayState, { ports }: ReplayLayout): ReplayState {
  const numbers = new Map(ports.map(({ pod, interface: place, id }) => [`${pod} ${place}`, id]));
  const pods = [...state.pods].map(([key, pod]) => {
    const interfaces = pod.interfaces.map((one, place) => {
      const port = numbers.get(`${key} ${place}`);
      return port === undefined ? { network: one.network, ips: one.ips } : { ...one, port };
    });
    return [key, { ...pod, interfaces }] as const;
  });
  return { ...state, pods: new Map(pods) };
}
