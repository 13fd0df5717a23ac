/** What replay takes and gives, as plain data. */
import type { DropReasonName } from '../../dataplane/drop-reasons.js';
import type { EndpointSlice, Network, Node, Service } from '../api/types.js';
import type { PolicyNote, PolicyState } from '../policies/types.js';
import type { CapturedPacket, PassedOver } from './captured-packet.js';

/** A cluster at a moment: policies and whom they are about, and the networks that these are in. */
export interface ReplayState extends PolicyState {
  /** Of the node whose state it is. */
  readonly node: string;
  readonly nodeIps: readonly string[];
  readonly serviceCidrs: readonly string[];
  readonly networks: readonly Network[];
  /** With their pod subnets. */
  readonly members: readonly Node[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

/** What became of a packet. */
export interface PacketVerdict {
  /**
   * forwarded: it left through a port · answered: it was for the switch itself · waits: a fragment without its others, so far ·
   * dropped: with the reason · unsent: it answers what was dropped, so nobody would have sent it.
   */
  readonly fate: 'forwarded' | 'answered' | 'waits' | 'dropped' | 'unsent';
  /** Through which ports: names of pods, or `node` for everybody else. */
  readonly to: readonly string[];
  readonly reason?: DropReasonName;
  /** Where a policy refused it. */
  readonly note?: PolicyNote;
}

/**
 * A packet of the capture and what became of it in each state. The seam for whoever explains packets one by one: a report is made for
 * every packet, in the order of the file.
 */
export interface PacketReport {
  /** Its place in the capture, from 1. */
  readonly number: number;
  /** Microseconds since 1970. */
  readonly time: number;
  readonly packet: CapturedPacket;
  /** Name of the port that it entered by. */
  readonly from: string;
  readonly now: PacketVerdict;
  /** In the candidate state, where there is one. */
  readonly after?: PacketVerdict;
}

export interface PacketObserver {
  /** Before a packet is replayed. @param time of it, microseconds since 1970 */
  begin?(time: number): void;
  packet(report: PacketReport): void;
  passedOver?(number: number, time: number, why: PassedOver): void;
}
