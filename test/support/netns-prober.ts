/** A prober (prober.py has its manual) in a network namespace: what it is asked goes in by a pipe, one question at a time. */
import { LineProgram } from './line-program.js';

/** A late request is heard all the same. */
const SILENCE_S = 0.4;
const PATIENCE_S = 1.5;

export type ProbeKind = 'tcp' | 'udp' | 'ping';

export interface ProbeTarget {
  readonly kind: ProbeKind;
  readonly address: string;
  /** 0 with ping. */
  readonly port: number;
  /** Whether an answer is waited for with patience. */
  readonly isExpected: boolean;
}

/** true: answered · false: silence · otherwise the name of the error that the kernel told. */
export type ProbeAnswer = boolean | string;

export class Prober extends LineProgram {
  /** Answers once it serves. */
  static async start(namespace: string): Promise<Prober> {
    const prober = new Prober(Prober.spawn(namespace, 'prober.py'));
    await prober.next<string>();
    return prober;
  }

  /** All at once. */
  ask(targets: readonly ProbeTarget[]): Promise<ProbeAnswer[]> {
    const ask = targets.map(({ kind, address, port, isExpected }) => [kind, address, port, isExpected]);
    return this.call({ ask, silence: SILENCE_S, patience: PATIENCE_S });
  }

  /** Requests to `own` addresses that have come since it was last asked: `SOURCE KIND PORT`. */
  heard(own: readonly string[]): Promise<string[]> {
    return this.call({ heard: own });
  }
}
