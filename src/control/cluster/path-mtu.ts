/**
 * Follows the underlay's path MTU to each peer: the largest outer IP packet that reaches it whole.
 *
 * It begins with the underlay interface's MTU. The kernel keeps what ICMP told it of each path (RFC 1191, RFC
 * 8201); it is asked at once when a send was too big (`tooBig`), and every 10 s for each peer, which also
 * follows the interface's own MTU. Where ICMP is filtered the kernel learns nothing, so that large packets
 * vanish: a black hole. So each path is also tried with ICMP echo, when a peer is first seen and every few
 * minutes, a few peers at a time (path-search.ts).
 *
 * Downwards it is announced at once. Upwards only after a packet of that size has come back, since the kernel
 * forgets after ten minutes what it learned, and the path may be as narrow as before. A peer that answers no
 * echo at all is unknown, not a black hole: then the kernel's word counts.
 *
 * Nothing here trusts an ICMP error further than the kernel does, and the inner MTU has a floor.
 */
import { pathMtu } from '../../linux/path-mtu.js';
import { type Family, familyOf } from '../cidr.js';
import type { IcmpEcho } from '../host/icmp-echo.js';
import type { Logger } from '../logger.js';
import { searchPath } from './path-search.js';

/** Bytes around an inner packet: outer IP, UDP 8, VXLAN 8, inner Ethernet 14 (RFC 7348 section 5). */
export const TUNNEL_OVERHEAD = { 4: 50, 6: 70 } as const;

/** What every host must take whole (RFC 791), and every IPv6 link carry (RFC 8200 section 5). */
export const LEAST_INNER_MTU = { 4: 576, 6: 1280 } as const;
/** A size that passes where anything does. */
const SMALLEST_OUTER = { 4: 576, 6: 1280 } as const;

const KERNEL_EVERY_MS = 10_000;
const TICK_MS = 500;
const CHECK_EVERY_MS = 5 * 60_000;
/** Where nobody answered: it may only have started. */
const CHECK_SILENT_EVERY_MS = 60_000;
const CHECKS_AT_ONCE = 2;

export interface PathMtuOptions {
  /** This node's underlay address. */
  readonly underlay: string;
  /** The MTU of the interface that has it. */
  readonly interfaceMtu: number;
  readonly log: Logger;
  /** Undefined: raw-socket is missing, which `openIcmpEcho` has said. */
  readonly echo?: Pick<IcmpEcho, 'echo' | 'close'> | undefined;
  /** The kernel's path MTU to an address; may throw, for instance where there is no route. */
  readonly kernel?: (address: string, localAddress: string) => number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

export type PathMtuListener = (address: string, mtu: number) => void;

interface Path {
  readonly address: string;
  /** What the kernel last said. */
  kernel: number;
  /** The largest that came back, where the kernel believes in more. */
  limit: number | undefined;
  /** What was announced. */
  mtu: number;
  /** When the path is to be tried next. */
  checkAt: number;
  checking: boolean;
}

export class PathMtu {
  readonly #paths = new Map<string, Path>();
  readonly #listeners = new Set<PathMtuListener>();
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  /** Whose turn it is to be asked of the kernel. */
  #turn: Path[] = [];
  /** Fractions of a peer that a tick is due to ask for. */
  #due = 0;
  #checks = 0;
  #mayCheck: boolean;

  constructor(private readonly options: PathMtuOptions) {
    this.#now = options.now ?? (() => performance.now());
    this.#mayCheck = options.echo !== undefined;
  }

  /** From now on by its own timer; without, `tick` is the caller's business, every 500 ms. */
  start(): void {
    this.#timer ??= setInterval(() => this.tick(), TICK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#mayCheck = false;
    this.options.echo?.close();
  }

  /** Underlay addresses of the peers, all of them. New ones are asked about at once. */
  setPeers(addresses: readonly string[]): void {
    const wanted = new Set(addresses);
    for (const address of [...this.#paths.keys()]) if (!wanted.has(address)) this.#paths.delete(address);
    for (const address of wanted) {
      if (this.#paths.has(address)) continue;
      const { interfaceMtu } = this.options;
      const path: Path = {
        address,
        kernel: interfaceMtu,
        limit: undefined,
        mtu: interfaceMtu,
        checkAt: this.#now(),
        checking: false,
      };
      this.#paths.set(address, path);
      this.#ask(path);
    }
  }

  /** The largest outer IP packet for a peer, bytes; for one that is not known, the interface's MTU. */
  mtu(address: string): number {
    return this.#paths.get(address)?.mtu ?? this.options.interfaceMtu;
  }

  /** The largest inner IP packet for a peer. */
  innerMtu(address: string): number {
    return innerMtu(this.mtu(address), familyOf(address));
  }

  /** Called with the outer MTU at each change. Returns what ends that. */
  onChange(listener: PathMtuListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A send to the peer was refused as too big (EMSGSIZE): the kernel knows more than it did. */
  tooBig(address: string): void {
    const path = this.#paths.get(address);
    if (path) this.#ask(path);
  }

  /** Asks the kernel about as many peers as are due, and tries the paths that are. */
  tick(): void {
    this.#due += (this.#paths.size * TICK_MS) / KERNEL_EVERY_MS;
    for (; this.#due >= 1; this.#due--) this.#askNext();
    for (const path of this.#paths.values()) {
      if (!this.#mayCheck || this.#checks >= CHECKS_AT_ONCE) break;
      if (!path.checking && path.checkAt <= this.#now()) void this.#check(path);
    }
  }

  #askNext(): void {
    if (this.#turn.length === 0) this.#turn = [...this.#paths.values()];
    const path = this.#turn.pop();
    if (path && this.#paths.get(path.address) === path) this.#ask(path);
  }

  #ask(path: Path): void {
    const { kernel = pathMtu, underlay } = this.options;
    try {
      this.#heard(path, kernel(path.address, underlay));
    } catch (error) {
      // No route at present: what was known stays.
      this.options.log.debug(
        { peer: path.address, error: String(error) },
        'path MTU not known to the kernel',
      );
    }
  }

  #heard(path: Path, mtu: number): void {
    if (mtu === path.kernel) return;
    const isMore = mtu > path.kernel;
    path.kernel = mtu;
    if (isMore && this.#mayCheck) path.checkAt = this.#now();
    else this.#announce(path);
  }

  async #check(path: Path): Promise<void> {
    const { echo } = this.options;
    if (!echo) return;
    path.checking = true;
    this.#checks++;
    try {
      const ask = (size: number, timeoutMs: number) => echo.echo(path.address, size, timeoutMs);
      const found = await searchPath(ask, SMALLEST_OUTER[familyOf(path.address)], () => {
        this.#ask(path);
        return path.kernel;
      });
      this.#conclude(path, found);
    } catch (error) {
      this.#giveUp(error);
    } finally {
      this.#checks--;
      path.checking = false;
    }
  }

  #conclude(path: Path, found: number | undefined): void {
    path.checkAt = this.#now() + (found === undefined ? CHECK_SILENT_EVERY_MS : CHECK_EVERY_MS);
    if (!this.#mayCheck || this.#paths.get(path.address) !== path) return;
    const before = path.limit;
    // Who is silent now may have been behind a black hole before, and be so again.
    if (found !== undefined) path.limit = found < path.kernel ? found : undefined;
    if (path.limit !== undefined && path.limit !== before) {
      this.options.log.warn(
        { peer: path.address, expected: path.kernel, mtu: found },
        'larger packets vanish on the way and no ICMP says so: let ICMP "fragmentation needed" and "packet too big" pass',
      );
    }
    this.#announce(path);
  }

  /** Raw sockets are forbidden, mostly. */
  #giveUp(error: unknown): void {
    if (!this.#mayCheck) return;
    this.#mayCheck = false;
    this.options.log.warn(
      { reason: error instanceof Error ? error.message : String(error) },
      'ICMP echo cannot be sent: path MTU is what the kernel knows of it, black holes are not found',
    );
    for (const path of this.#paths.values()) this.#announce(path);
  }

  #announce(path: Path): void {
    const mtu = Math.min(path.kernel, path.limit ?? path.kernel);
    if (mtu === path.mtu || this.#paths.get(path.address) !== path) return;
    const fields = { peer: path.address, mtu, before: path.mtu };
    path.mtu = mtu;
    const family = familyOf(path.address);
    if (mtu - TUNNEL_OVERHEAD[family] < LEAST_INNER_MTU[family]) {
      this.options.log.warn(
        { ...fields, inner: LEAST_INNER_MTU[family] },
        'the path is too narrow for a tunnel: larger packets than it carries will be lost',
      );
    } else this.options.log.info(fields, 'path MTU changed');
    for (const listener of this.#listeners) listener(path.address, mtu);
  }
}

/** The largest inner IP packet that fits an outer one. @param family of the underlay. */
export function innerMtu(outer: number, family: Family): number {
  return Math.max(outer - TUNNEL_OVERHEAD[family], LEAST_INNER_MTU[family]);
}
