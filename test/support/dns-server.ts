/**
 * The DNS server as a program, for tests that run it in a namespace: `node dns-server.js '{"listen":[…], …}'`. Prints
 * `listening`, and what it finds out about its upstreams. Ends with its standard input.
 */
import { startDns } from '../../src/control/dns/start.js';
import { clusterRecords } from './dns-records.js';

export interface DnsProgramOptions {
  readonly listen: readonly string[];
  readonly resolvConf: string;
  readonly upstreamPort?: number;
}

const asked = JSON.parse(process.argv[2]) as DnsProgramOptions;
process.stdin.on('end', () => process.exit(0)).resume();
const dns = await startDns({
  view: clusterRecords(),
  listen: asked.listen.map((address) => ({ address, port: 53 })),
  resolvConf: asked.resolvConf,
  upstreamPort: asked.upstreamPort,
  onLoop: ({ address }) => console.log(`loop ${address}`),
  onFault: (error) => console.log(`fault ${error}`),
});
console.log('listening', dns.listening.length);
