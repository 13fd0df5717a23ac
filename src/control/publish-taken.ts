/**
 * Ports of the node that somebody has: pods that have published them, services, programs of the host; and which of them a
 * new one is given.
 */
import { NODE_FRONTEND, type ServiceSpec } from '../dataplane/service-spec.js';
import type { PublishedPort } from './api/publish-types.js';
import { PodwireError } from './errors.js';
import { ephemeralPorts, type HostSocket, hostSockets, programOf } from './host/listeners.js';
import { type FullWish, hostName } from './model/publish.js';
import { PortMap, type PortPlace, portKey } from './publish-map.js';
import { isPublished } from './publish-plan.js';

export interface PodPort {
  /** Of the pod. */
  readonly key: string;
  readonly port: PublishedPort;
}

/** @param wanted protocol and number as portKey says them; undefined: all. */
export function portsOfServices(services: Iterable<ServiceSpec>, wanted?: ReadonlySet<string>): PortMap {
  const map = new PortMap();
  for (const { name, family, protocol, frontends } of services) {
    if (isPublished(name)) continue;
    for (const { address: at, port } of frontends) {
      if (wanted && !wanted.has(portKey(protocol, port))) continue;
      const isExact = at !== NODE_FRONTEND;
      const address = isExact ? at : family === 'IPv4' ? '0.0.0.0' : '::';
      map.add({ protocol, port }, { whose: `service ${name}`, address, isExact });
    }
  }
  return map;
}

export class TakenHostPorts {
  private readonly byPods = new PortMap();
  private readonly bySockets = new PortMap();
  private readonly sockets = new Map<string, HostSocket>();

  constructor(
    pods: Iterable<PodPort>,
    private readonly byServices: PortMap,
  ) {
    for (const { key, port } of pods) this.take(key, port);
    for (const socket of hostSockets()) this.note(socket);
  }

  take(key: string, port: PublishedPort): void {
    this.byPods.add(placeOf(port), { whose: `pod ${key}`, address: port.hostIP });
  }

  /** @throws PodwireError PORT_IN_USE */
  check(field: string, port: PublishedPort): void {
    const whose = this.holderOf(placeOf(port));
    if (whose === undefined) return;
    throw new PodwireError(
      'PORT_IN_USE',
      `${field}: port ${hostName(port)} of the node belongs to ${whose}`,
      field,
    );
  }

  /** The next free port from `from` on, round the ports that the kernel itself gives out. @throws PodwireError PORT_IN_USE */
  choose(field: string, wish: FullWish, from: number): PublishedPort {
    const { first, last } = ephemeralPorts();
    const count = last - first + 1;
    for (let step = 0; step < count; step++) {
      const port = { ...wish, hostPort: first + ((from + step) % count) };
      if (!this.isTaken(placeOf(port))) return port;
    }
    throw new PodwireError('PORT_IN_USE', `${field}: every port from ${first} to ${last} is taken`, field);
  }

  private isTaken(place: PortPlace): boolean {
    return [this.byPods, this.byServices, this.bySockets].some((map) => map.find(place));
  }

  /** Looking for a program takes longest, so it is done last, and only for the one who is named. */
  private holderOf(place: PortPlace): string | undefined {
    const known = this.byPods.find(place) ?? this.byServices.find(place);
    if (known) return known.whose;
    const inode = this.bySockets.find(place)?.whose;
    const socket = inode === undefined ? undefined : this.sockets.get(inode);
    return socket && (programOf(socket) ?? 'a program of the host');
  }

  /** A socket at :: takes IPv4 as well, unless it was told not to, which is not to be seen here. */
  private note(socket: HostSocket): void {
    const { protocol, port, inode } = socket;
    const address = socket.address === '::' ? undefined : socket.address;
    this.sockets.set(inode, socket);
    this.bySockets.add({ protocol, port }, { whose: inode, address });
  }
}

function placeOf({ protocol, hostPort, hostIP }: PublishedPort): PortPlace {
  return { protocol, port: hostPort, ...(hostIP !== undefined && { address: hostIP }) };
}
