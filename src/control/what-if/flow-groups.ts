/**
 * Connections with the same ends and port, as one: what a policy says of one of them it says of all. Made of the rows of the flow table, as
 * the packets are when policies decide about them: from the client's own address, to the backend's.
 *
 * What is refused at its first packet has no entry there; of those, the last packets that were refused tell.
 */
import type { FlowRow } from '../../dataplane/flows/flow-reader.js';
import type { Denial } from '../../dataplane/policy/denial-reader.js';
import type { FlowEnd } from '../api/what-if-types.js';
import { addressText } from '../flows/flow-entry.js';
import type { PolicyEnd, PolicyPod, PolicyQuestion, PolicyState } from '../policies/types.js';
import { podKeyOf } from '../services/types.js';

const WITH_PORTS: readonly number[] = [6, 17, 132];

export interface FlowGroup {
  readonly from: FlowEnd;
  readonly to: FlowEnd;
  readonly question: PolicyQuestion;
  flows: number;
}

/** Where a pod is met: two networks may have the same addresses. */
interface Place {
  readonly pod: PolicyPod;
  readonly network: string;
}

interface Seen {
  /** The port that its first packet came in by, where that is known. */
  readonly entry: number | undefined;
  readonly protocol: number;
  readonly source: string;
  readonly destination: string;
  readonly port: number | undefined;
}

export class FlowGroups {
  private readonly groups = new Map<string, FlowGroup>();
  /** Refused, and not met in the flow table yet; by tuple. */
  private readonly refused = new Map<string, Denial>();
  private readonly byPort = new Map<number, Place>();
  private readonly byAddress = new Map<string, Place[]>();

  constructor({ pods }: Pick<PolicyState, 'pods'>) {
    for (const pod of pods.values()) {
      for (const { network, ips, port } of pod.interfaces) {
        const place = { pod, network };
        if (port !== undefined) this.byPort.set(port, place);
        for (const address of ips)
          this.byAddress.set(address, [...(this.byAddress.get(address) ?? []), place]);
      }
    }
  }

  /** Before the rows. */
  addRefused(denials: readonly Denial[]): void {
    for (const denial of denials) {
      if (denial.protocol < 0) continue;
      const { protocol, source, sourcePort, destination, destinationPort } = denial;
      const ends = [addressText(source), sourcePort, addressText(destination), destinationPort];
      this.refused.set(`${protocol} ${ends.join(' ')}`, denial);
    }
  }

  add({ protocol, port: entry, original, reply }: FlowRow): void {
    const source = addressText(original.source);
    const destination = addressText(reply.source);
    if (this.refused.size > 0) {
      this.refused.delete(`${protocol} ${source} ${original.sourcePort} ${destination} ${reply.sourcePort}`);
    }
    this.count({ entry, protocol, source, destination, port: reply.sourcePort });
  }

  /** After the rows. Answers how many connections there were among what was refused. */
  finish(): number {
    for (const { direction, port, protocol, source, destination, destinationPort } of this.refused.values()) {
      this.count({
        entry: direction === 'egress' ? port : undefined,
        protocol,
        source: addressText(source),
        destination: addressText(destination),
        port: destinationPort,
      });
    }
    return this.refused.size;
  }

  all(): Iterable<FlowGroup> {
    return this.groups.values();
  }

  private count({ port: given, ...rest }: Seen): void {
    const port = WITH_PORTS.includes(rest.protocol) && given! >= 0 ? given : undefined;
    const key = `${rest.entry} ${rest.protocol} ${rest.source} ${rest.destination} ${port}`;
    const known = this.groups.get(key);
    if (known !== undefined) known.flows++;
    else this.groups.set(key, this.group({ ...rest, port }));
  }

  private group({ entry, protocol, source, destination, port }: Seen): FlowGroup {
    const opener = entry === undefined ? undefined : this.byPort.get(entry);
    const from = opener?.pod.interfaces.some(({ ips }) => ips.includes(source)) ? opener : this.find(source);
    const to = this.find(destination, from?.network);
    const question: PolicyQuestion = {
      from: endOf(source, from),
      to: endOf(destination, to),
      family: source.includes(':') ? 6 : 4,
      protocol,
      ...(port !== undefined && { port }),
    };
    return { from: shown(source, from), to: shown(destination, to), question, flows: 1 };
  }

  /** Of several with the address, whoever is in that network. */
  private find(address: string, network?: string): Place | undefined {
    const places = this.byAddress.get(address);
    return places?.find((place) => place.network === network) ?? places?.[0];
  }
}

function endOf(address: string, place: Place | undefined): PolicyEnd {
  return place === undefined ? { address } : { pod: podKeyOf(place.pod), address };
}

function shown(address: string, place: Place | undefined): FlowEnd {
  if (place === undefined) return { address };
  const { namespace, name, node } = place.pod;
  return { address, pod: `${namespace}/${name}`, node };
}
