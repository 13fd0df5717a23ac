/**
 * Where a captured packet enters the switch, and under which MAC addresses: the capture may have been taken anywhere, with or
 * without Ethernet, so its link header is made anew as its sender would have written it.
 *
 * By its source address: a pod's packet enters at the pod, everybody else's at the node's port, or by the interface of a raw network
 * where it goes to a pod there. To a pod of the same bridge domain it is addressed itself, to all else the gateway.
 */
import { parseMac } from '../../wire/address.js';
import { ETHERTYPE, HEADER_LENGTH, writeHeader } from '../../wire/ethernet.js';
import { PodwireError } from '../errors.js';
import type { PolicyEnd } from '../policies/types.js';
import type { CapturedPacket } from './captured-packet.js';
import type { ReplayLayout, ReplayPort } from './layout.js';

/** Of a router that is no part of the state: beyond an uplink, or where a network has no gateway. */
const SOMEBODY = '02:73:00:00:00:01';

export class Entrance {
  private readonly byAddress = new Map<string, ReplayPort[]>();
  private readonly uplinks: ReadonlyMap<string, ReplayPort>;

  constructor(private readonly layout: ReplayLayout) {
    for (const port of layout.ports) for (const address of port.ips) this.add(address, port);
    this.uplinks = new Map(
      layout.plan.networks.flatMap(({ name, uplink }) => {
        const port = layout.ports.find(({ id }) => id === uplink?.port);
        return port === undefined ? [] : [[name, port] as const];
      }),
    );
  }

  portOf({ source, destination }: CapturedPacket): ReplayPort {
    const targets = this.byAddress.get(destination) ?? [];
    const senders = this.byAddress.get(source) ?? [];
    const together = senders.find(({ network }) => targets.some((target) => target.network === network));
    const sender = together ?? senders[0];
    if (sender !== undefined) return sender;
    const [target] = targets;
    return (target && this.uplinks.get(target.network)) ?? this.layout.node;
  }

  /** The packet as a frame; what was not captured of it is 0. */
  frameOf(packet: CapturedPacket, port: ReplayPort, capture: DataView): Uint8Array {
    const length = Math.max(packet.length, 20);
    const frame = new Uint8Array(HEADER_LENGTH + length);
    const copied = Math.min(packet.captured, length);
    frame.set(new Uint8Array(capture.buffer, capture.byteOffset + packet.at, copied), HEADER_LENGTH);
    const [to, from] = [parseMac(this.receiverOf(packet, port)), parseMac(port.mac)];
    const type = packet.family === 4 ? ETHERTYPE.IPV4 : ETHERTYPE.IPV6;
    writeHeader(new DataView(frame.buffer), 0, to.hi, to.lo, from.hi, from.lo, type);
    return frame;
  }

  /** Who an address is to policies: of several pods with it, whoever shares a network with `other`. */
  endOf(address: string, other: string): PolicyEnd {
    const places = (this.byAddress.get(address) ?? []).filter(({ pod }) => pod !== undefined);
    const others = this.byAddress.get(other) ?? [];
    const found = places.find(({ network }) => others.some((one) => one.network === network)) ?? places[0];
    return found?.pod === undefined ? { address } : { pod: found.pod, address };
  }

  /** Name of the port whose address it is. */
  nameOf(address: string): string | undefined {
    return this.byAddress.get(address)?.[0]?.name;
  }

  private receiverOf({ destination }: CapturedPacket, port: ReplayPort): string {
    const neighbour = this.byAddress
      .get(destination)
      ?.find(
        ({ network, domain, id }) => network === port.network && domain === port.domain && id !== port.id,
      );
    return neighbour?.mac ?? port.gatewayMac ?? SOMEBODY;
  }

  private add(address: string, port: ReplayPort): void {
    const known = this.byAddress.get(address);
    if (known === undefined) this.byAddress.set(address, [port]);
    else known.push(port);
  }
}

/** @param text NAME or NAMESPACE/NAME, with `/NETWORK` of a further interface. @throws PodwireError NOT_FOUND */
export function portNamed({ ports }: ReplayLayout, text: string): ReplayPort {
  const found =
    ports.find(({ name }) => name === text) ?? ports.find(({ name }) => name === `default/${text}`);
  if (found !== undefined) return found;
  throw new PodwireError('NOT_FOUND', `the state has no pod ${text} with an interface`);
}
