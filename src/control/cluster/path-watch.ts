/** The path MTU to each peer, with what it needs of the host: the kernel's word, ICMP echo, the data plane's. */
import { pathMtu } from '../../linux/path-mtu.js';
import { openIcmpEcho } from '../host/icmp-echo.js';
import type { Logger } from '../logger.js';
import { PathMtu } from './path-mtu.js';

export interface TooBigSource {
  /** A send to this underlay address was refused as too big. */
  onTooBig: (address: string) => void;
}

/** @param interfaceMtu of the interface that has the underlay address. */
export async function watchPaths(
  underlay: string,
  interfaceMtu: number,
  dataplane: TooBigSource,
  log: Logger,
): Promise<PathMtu> {
  const echo = await openIcmpEcho(log);
  const paths = new PathMtu({ underlay, interfaceMtu, log, kernel: pathMtu, ...(echo && { echo }) });
  dataplane.onTooBig = (address) => paths.tooBig(address);
  paths.start();
  return paths;
}
