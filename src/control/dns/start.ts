/**
 * The DNS server in one piece: listens, forwards to the name servers of a resolv.conf, and follows that file. What it
 * answers from is the view that it is given.
 */
import { networkInterfaces } from 'node:os';
import type { AnswererOptions } from './answerer.js';
import type { NameServer } from './ask.js';
import { followResolvConf, type ResolvConf, readResolvConf } from './resolv.js';
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
  close(): Promise<void>;
}

/** @throws PodwireError DNS_LISTEN_FAILED; then nothing listens. */
export async function startDns(options: DnsOptions): Promise<Dns> {
  const listening: NameServer[] = [];
  const upstream = new Upstream({ isSelf: (server) => isOneOf(listening, server), onLoop: options.onLoop });
  const resolver = new Resolver(options.view, upstream);
  const server = new DnsServer(resolver, options);
  try {
    for (const place of options.listen) listening.push(await server.listen(place));
  } catch (error) {
    await server.close();
    throw error;
  }
  const use = ({ nameservers }: ResolvConf) => {
    resolver.cache.clear();
    upstream.setServers(nameservers.map((address) => ({ address, port: options.upstreamPort ?? DNS_PORT })));
  };
  use(readResolvConf(options.resolvConf));
  const unfollow = followResolvConf(options.resolvConf, use);
  const close = async () => {
    unfollow();
    upstream.close();
    await server.close();
  };
  return { server, resolver, upstream, listening, close };
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
