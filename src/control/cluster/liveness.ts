/**
 * Which peers answer their probes, as the data plane says, by the names of nodes; when each was last heard; and a log
 * line when one comes or goes.
 */
import type { NodeState } from '../api/types.js';
import type { Logger } from '../logger.js';
import type { PlannedPeer } from '../plan.js';

/** The data plane's part in it; src/dataplane/worker/handle.ts. */
export interface PeerProbes {
  readonly peerStates: {
    isUp(id: number): boolean;
    state(id: number): Exclude<NodeState, 'self'>;
    rttMicros(id: number): number | undefined;
    lastAnswerMs(id: number): number | undefined;
  };
  onPeer: (id: number, isUp: boolean) => void;
}

export class Liveness {
  private readonly told = new Map<string, boolean>();

  /** @param changed a route may have to come or go. */
  constructor(
    private readonly probes: PeerProbes,
    private readonly peerOf: (id: number) => PlannedPeer | undefined,
    private readonly log: Logger,
    changed: () => void,
  ) {
    probes.onPeer = (id, isUp) => {
      this.tell(id, isUp);
      changed();
    };
  }

  isUp(id: number): boolean {
    return this.probes.peerStates.isUp(id);
  }

  stateOf(id: number): Exclude<NodeState, 'self'> {
    return this.probes.peerStates.state(id);
  }

  rttMicros(id: number): number | null {
    const micros = this.probes.peerStates.rttMicros(id);
    return micros === undefined ? null : Math.round(micros);
  }

  /** ISO 8601; undefined: never. */
  lastSeen(id: number): string | undefined {
    const at = this.probes.peerStates.lastAnswerMs(id);
    if (at === undefined) return undefined;
    return new Date(Date.now() - Math.max(0, performance.now() - at)).toISOString();
  }

  /** Forgets who is no peer any more. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.told.keys()) if (!names.has(name)) this.told.delete(name);
  }

  private tell(id: number, isUp: boolean): void {
    const peer = this.peerOf(id);
    if (!peer || this.told.get(peer.name) === isUp) return;
    this.told.set(peer.name, isUp);
    const fields = { peer: peer.name, address: peer.address };
    if (isUp) this.log.info({ ...fields, prefixes: peer.prefixes }, 'peer up');
    else this.log.warn({ ...fields, probe: peer.probe }, 'peer down: it does not answer its probe');
  }
}
