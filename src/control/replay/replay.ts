/**
 * Replay: a capture through the engine that forwards in a daemon, offline, in the state of a cluster, or in two states side by
 * side for the difference. Nothing is sent anywhere; nothing needs a privilege.
 *
 * Every packet enters at the port of its source address (entrance.ts) and its verdict is what the engine does with it: it leaves
 * through a port, is for the switch itself, or is dropped with a reason and, where a policy has refused it, the rule.
 */
import type { Capture } from '../../dataplane/devices/pcap-capture.js';
import type { PolicyAnswer } from '../policies/types.js';
import { PASSED_OVER, type PassedOver, readPacket } from './captured-packet.js';
import { type Connection, Connections } from './connections.js';
import type { FrameTaker } from './replay-switch.js';
import { Runner } from './runner.js';
import type { PacketObserver, ReplayState } from './types.js';

export interface ReplayOptions {
  readonly running: ReplayState;
  readonly candidate?: ReplayState;
  /** Name of the pod that every packet is to come from. */
  readonly port?: string;
  /** Is shown what comes out: of the candidate where there is one. */
  readonly taker?: FrameTaker;
  readonly observer?: PacketObserver;
}

export interface ReplayResult {
  readonly packets: number;
  /** How many were not replayed, by why. */
  readonly passedOver: Readonly<Record<PassedOver, number>>;
  /** How many were captured without their end; it is taken for zeros. */
  readonly cutShort: number;
  readonly connections: readonly Connection[];
}

export class Replay {
  private readonly running: Runner;
  private readonly candidate: Runner | undefined;

  /** @throws PodwireError REPLAY_STATE, NOT_FOUND */
  constructor(
    private readonly capture: Capture,
    private readonly options: ReplayOptions,
  ) {
    const { running, candidate, port, taker } = options;
    const { count } = capture;
    this.running = new Runner(running, count, port, candidate === undefined ? taker : undefined);
    this.candidate = candidate && new Runner(candidate, count, port, taker);
  }

  /** Once. */
  run(): ReplayResult {
    const { capture } = this;
    const connections = new Connections();
    const passedOver = Object.fromEntries(Object.keys(PASSED_OVER).map((why) => [why, 0])) as Record<
      PassedOver,
      number
    >;
    let [packets, cutShort] = [0, 0];
    const begin = capture.time[0] ?? 0;
    // A capture of several interfaces may go back in time; a clock may not.
    let now = 0;
    for (let index = 0; index < capture.count; index++) {
      const at = capture.at[index]!;
      const time = capture.time[index]!;
      const read = readPacket(capture.view, at, at + capture.length[index]!, capture.linkTypes[index]!);
      if (typeof read === 'string') {
        passedOver[read]++;
        this.options.observer?.passedOver?.(index + 1, time, read);
        continue;
      }
      packets++;
      if (read.captured < read.length) cutShort++;
      now = Math.max(now, (time - begin) / 1000);
      this.options.observer?.begin?.(time);
      const { from, verdict } = this.running.run(read, capture.view, now);
      const after = this.candidate?.run(read, capture.view, now).verdict;
      const report = {
        number: index + 1,
        time,
        packet: read,
        from: from.name,
        now: verdict,
        ...(after && { after }),
      };
      connections.add(report);
      this.options.observer?.packet(report);
    }
    return { packets, passedOver, cutShort, connections: connections.all() };
  }

  /** What policies say of a connection, in the running state and in the candidate. */
  judge(connection: Connection): { now: PolicyAnswer; after?: PolicyAnswer } {
    const now = this.running.judge(connection);
    return { now, ...(this.candidate && { after: this.candidate.judge(connection) }) };
  }

  /** Name of the pod that has an address. */
  nameOf(address: string): string | undefined {
    return this.running.switch.entrance.nameOf(address);
  }
}
