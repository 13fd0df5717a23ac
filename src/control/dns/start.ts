/**
 * The DNS server in one piece: listens, forwards to the name servers of a resolv.conf, and follows that file. What it
 * answers from is the view that it is given.
 */
import { networkInterfaces } from 'node:os';
import type { AnswererOptions } from './answerer.js';
import type { NameServer } from './ask.js';
import { followResolvConf, type ResolvConf } from './resolv.js';
import { Resolver } from './resolver.js';
import { DnsServer } from './server.js';
import { Upstream } from './upstream.js';
import type { DnsView } from './view.js';

const DNS_PORT = 53;

export interface DnsOptions extends AnswererOptions {
  readonly view: DnsView;
  readonly listen: readonly NameServer[];
  readonly resolvConf: string;
  /** Of the name servers in it; default 53. */
  readonly upstreamPort?: number;
  /** A name server brings our questions back to us: it is not asked any more. */
  readonly onLoop?: (server: NameServer) => void;
}

export interface Dns {
  readonly server: DnsServer;
  readonly resolver: Resolver;
  readonly upstream: Upstream;
  /** With the ports that were chosen. */
  readonly listening: readonly NameServer[];
  /**
   * Listens there and nowhere else; where it listens already it goes on.
   * @throws PodwireError DNS_LISTEN_FAILED; then it listens where it did.
   */
  move(places: readonly NameServer[]): Promise<void>;
  close(): Promise<void>;
}

/** @throws PodwireError DNS_LISTEN_FAILED; then nothing listens. */
export async function startDns(options: DnsOptions): Promise<Dns> {
  const upstream: Upstream = new Upstream({
    isSelf: (name) => isOneOf(server.listening, name),
    onLoop: options.onLoop,
  });
  const resolver = new Resolver(options.view, upstream);
  const server = new DnsServer(resolver, options);
  try {
    for (const place of options.listen) await server.listen(place);
  } catch (error) {
    await server.close();
    throw error;
  }
  const use = ({ nameservers }: ResolvConf) => {
    resolver.cache.clear();
    upstream.setServers(nameservers.map((address) => ({ address, port: options.upstreamPort ?? DNS_PORT })));
  };
  const unfollow = followResolvConf(options.resolvConf, use);
  const close = async () => {
    unfollow();
    upstream.close();
    await server.close();
  };
  return {
    server,
    resolver,
    upstream,
    get listening() {
      return server.listening;
    },
    move: (places) => move(server, places),
    close,
  };
}

async function move(server: DnsServer, places: readonly NameServer[]): Promise<void> {
  const before = server.listening;
  const kept = before.filter((old) => places.some((place) => isAt(old, place)));
  const opened: NameServer[] = [];
  try {
    for (const place of places) {
      if (!kept.some((old) => isAt(old, place))) opened.push(await server.listen(place));
    }
  } catch (error) {
    await server.leave(opened);
    throw error;
  }
  await server.leave(before.filter((old) => !kept.includes(old)));
}

/** Port 0 is content with any. */
function isAt(old: NameServer, { address, port }: NameServer): boolean {
  return old.address === address && (port === 0 || port === old.port);
}

/** Who listens on the unspecified address listens on all that the host has. */
function isOneOf(listening: readonly NameServer[], { address, port }: NameServer): boolean {
  return listening.some((own) => {
    if (own.port !== port) return false;
    return own.address === address || (isUnspecified(own.address) && isLocal(address));
  });
}

function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

function isLocal(address: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return isUnspecified(address) || address.startsWith('127.') || own.some((one) => one.address === address);
}
