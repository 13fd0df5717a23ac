/** A talker (talker.py has its manual) in a network namespace. */
import { LineProgram } from './line-program.js';

export const TALKER_PORT = 7000;

export interface TalkFacts {
  /** The last number that was sent, and the last that came back. */
  readonly sent: number;
  readonly back: number;
  readonly error: string | null;
}

/** How many packets came, and the highest number in them. */
export type Heard = readonly [count: number, highest: number];

export interface HeardFrom {
  readonly udp: Heard;
  readonly tcp: Heard;
  readonly icmp: Heard;
  readonly packets: number;
}

export class Talker extends LineProgram {
  static async start(namespace: string): Promise<Talker> {
    const talker = new Talker(Talker.spawn(namespace, 'talker.py'));
    await talker.next<string>();
    return talker;
  }

  /** Begins to talk without a pause; answers its facts whenever asked. */
  async talk(
    kind: 'tcp' | 'udp',
    host: string,
    pause = 0.01,
    port = TALKER_PORT,
  ): Promise<() => Promise<TalkFacts>> {
    const index = await this.call<number>({ talk: kind, host, port, pause });
    return async () => (await this.call<TalkFacts[]>({ talks: true }))[index];
  }

  /** Ends all that it has begun to say. */
  async hush(): Promise<void> {
    await this.call<number>({ hush: true });
  }

  /** What came from an address, since the program began. */
  heard(source: string): Promise<HeardFrom> {
    return this.call({ heard: source });
  }

  /** How many octets of a datagram come back; or `silence`, or the name of an error. */
  once(host: string, size: number, port = TALKER_PORT, wait = 10): Promise<number | string> {
    return this.call({ once: 'udp', host, port, size, wait });
  }

  /** The path MTU that the kernel has learned. */
  mtu(host: string, size: number): Promise<number> {
    return this.call({ mtu: host, size, wait: 20 });
  }
}
