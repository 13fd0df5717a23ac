/**
 * A capture's packets through the switch of one state, with what stands between a capture and a switch: answers of services are
 * as they were sent (service-answers.ts), and answers to what has not arrived are not sent at all. They are in the capture because it did.
 */
import { LINKTYPE_ETHERNET } from '../../dataplane/devices/pcap-format.js';
import type { PolicyAnswer } from '../policies/types.js';
import type { CapturedPacket } from './captured-packet.js';
import { readPacket } from './captured-packet.js';
import type { Connection } from './connections.js';
import { portNamed } from './entrance.js';
import type { ReplayPort } from './layout.js';
import { type FrameTaker, ReplaySwitch } from './replay-switch.js';
import { ServiceAnswers, writeTuple } from './service-answers.js';
import type { PacketVerdict, ReplayState } from './types.js';

/** TCP, UDP, SCTP. */
const WITH_PORTS: readonly number[] = [6, 17, 132];

export interface Ran {
  readonly from: ReplayPort;
  readonly verdict: PacketVerdict;
}

export class Runner {
  readonly switch: ReplaySwitch;
  private readonly answers = new ServiceAnswers();
  private readonly fixed: ReplayPort | undefined;
  /** Ways of connections, of which nothing has arrived; and those of which something has. */
  private readonly refused = new Set<string>();
  private readonly arrived = new Set<string>();
  /** What came out last. */
  private out: CapturedPacket | undefined;

  /**
   * @param packets how many will be replayed.
   * @param port name of the pod that every packet is to come from.
   * @throws PodwireError REPLAY_STATE, NOT_FOUND
   */
  constructor(state: ReplayState, packets: number, port?: string, taker?: FrameTaker) {
    this.switch = new ReplaySwitch(state, packets, (memory, at, length) => {
      const read = readPacket(memory, at, at + length, LINKTYPE_ETHERNET);
      if (typeof read !== 'string') this.out = read;
      taker?.(memory, at, length);
    });
    this.fixed = port === undefined ? undefined : portNamed(this.switch.layout, port);
  }

  run(packet: CapturedPacket, capture: DataView, now: number): Ran {
    if (this.fixed === undefined && this.refused.has(answerKey(packet))) {
      return { from: this.switch.entrance.portOf(packet), verdict: UNSENT };
    }
    const ran = this.pass(packet, capture, now);
    this.remember(packet, ran.verdict);
    return ran;
  }

  private pass(packet: CapturedPacket, capture: DataView, now: number): Ran {
    const tuple = this.fixed === undefined ? this.answers.sentAs(packet) : undefined;
    if (tuple !== undefined) return this.enter(...rewritten(packet, capture, tuple), now);
    this.out = undefined;
    const ran = this.enter(packet, capture, now);
    if (ran.verdict.fate === 'forwarded' && this.out !== undefined) this.answers.learn(packet, this.out);
    return ran;
  }

  private remember(packet: CapturedPacket, { fate }: PacketVerdict): void {
    const key = wayKey(packet);
    if (fate !== 'dropped') {
      this.arrived.add(key);
      this.refused.delete(key);
    } else if (!this.arrived.has(key) && !this.arrived.has(answerKey(packet))) {
      this.refused.add(key);
    }
  }

  /** What policies say of a connection, at the addresses that they see: behind a service, the backend's. */
  judge(connection: Connection): PolicyAnswer {
    const { protocol, source } = connection;
    const { destination, destinationPort } = this.answers.translation(connection) ?? connection;
    const { entrance, plan } = this.switch;
    return plan.judge({
      from: entrance.endOf(source, destination),
      to: entrance.endOf(destination, source),
      family: source.includes(':') ? 6 : 4,
      protocol,
      ...(WITH_PORTS.includes(protocol) && destinationPort >= 0 && { port: destinationPort }),
    });
  }

  private enter(packet: CapturedPacket, capture: DataView, now: number): Ran {
    const from = this.fixed ?? this.switch.entrance.portOf(packet);
    return { from, verdict: this.switch.take(packet, from, capture, now) };
  }
}

const UNSENT: PacketVerdict = { fate: 'unsent', to: [] };

function wayKey({ protocol, source, sourcePort, destination, destinationPort }: CapturedPacket): string {
  return `${protocol} ${source} ${sourcePort} ${destination} ${destinationPort}`;
}

/** Of what it would be the answer to. */
function answerKey({ protocol, source, sourcePort, destination, destinationPort }: CapturedPacket): string {
  return `${protocol} ${destination} ${destinationPort} ${source} ${sourcePort}`;
}

/** The packet as it was sent, in memory of its own. */
function rewritten(
  packet: CapturedPacket,
  capture: DataView,
  tuple: NonNullable<ReturnType<ServiceAnswers['sentAs']>>,
): [CapturedPacket, DataView] {
  const copy = new Uint8Array(packet.captured);
  copy.set(new Uint8Array(capture.buffer, capture.byteOffset + packet.at, packet.captured));
  const view = new DataView(copy.buffer);
  writeTuple(view, 0, tuple);
  return [{ ...packet, ...tuple, at: 0 }, view];
}
