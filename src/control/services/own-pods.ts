/**
 * This node's pods as services know them, told whenever one is different: it was attached, labelled, said to be ready, or
 * its interface has gone. Nothing is asked of a store, so what changes here is in force here at once.
 *
 * Which addresses. A pod's are those that it has in the default network, which every node reaches, or the node's own where
 * it uses the node's interfaces. A pod that is in other networks only has those of its first interface; they are told
 * nobody else, for another node may have the same prefix in a network of its own, and an overlay takes from another node
 * only what its pods sent, not what was routed. So a service that selects such pods works for clients in that network,
 * and for the node, on the pod's node. Addresses behind no gateway of the switch, as in internal and raw networks, are none.
 */
import type { NetworkMode } from '../api/types.js';
import { DEFAULT_NETWORK } from '../model/network.js';
import { isSaidReady, isTerminating, namedPorts, usesHostNetwork } from '../model/pod.js';
import type { AttachmentRecord, PodRecord } from '../records.js';
import type { ServicePod } from './types.js';

export interface OwnPodsParts {
  readonly node: string;
  /** By NAMESPACE/NAME. */
  readonly records: () => Iterable<[key: string, record: PodRecord]>;
  /** Whether its port forwards. */
  readonly isUp: (attachment: AttachmentRecord) => boolean;
  /** undefined: there is none of that name. */
  readonly networkOf: (
    name: string,
  ) => { readonly mode: NetworkMode; readonly isRouted: boolean } | undefined;
  /** Addresses of the node, for pods that use its interfaces. */
  readonly nodeIps: () => readonly string[];
}

export interface OwnPod {
  readonly pod: ServicePod;
  /** Whether other nodes reach it at its addresses. */
  readonly isPublic: boolean;
}

export interface OwnPodsListener {
  set(own: OwnPod): void;
  remove(own: OwnPod): void;
}

interface Known {
  readonly record: PodRecord;
  /** What else it was made from. */
  readonly state: string;
  readonly own: OwnPod;
}

export class OwnPods {
  private known = new Map<string, Known>();

  constructor(
    private readonly parts: OwnPodsParts,
    private readonly listener: OwnPodsListener,
  ) {}

  /** Tells what is different. Cheap where nothing is: a look at each pod. */
  refresh(): void {
    const nodeIps = this.parts.nodeIps();
    const found = new Map<string, Known>();
    for (const [name, record] of this.parts.records()) {
      const known = this.look(name, record, nodeIps);
      if (known) found.set(name, known);
    }
    for (const [name, { own }] of this.known) if (!found.has(name)) this.listener.remove(own);
    this.known = found;
  }

  private look(name: string, record: PodRecord, nodeIps: readonly string[]): Known | undefined {
    const { pod, attachments } = record;
    if (attachments.length === 0 && !usesHostNetwork(pod)) return undefined;
    const isUp = attachments.every((attachment) => this.parts.isUp(attachment));
    const state = `${isUp} ${nodeIps.join()}`;
    const before = this.known.get(name);
    if (before?.record === record && before.state === state) return before;
    const own = this.read(name, record, isUp, nodeIps);
    this.listener.set(own);
    return { record, state, own };
  }

  private read(
    key: string,
    { pod, attachments }: PodRecord,
    isUp: boolean,
    nodeIps: readonly string[],
  ): OwnPod {
    const [namespace, name] = key.split('/');
    const { hostname, subdomain } = (pod.spec ?? {}) as { hostname?: string; subdomain?: string };
    const place = this.placeOf(pod, attachments, nodeIps);
    return {
      pod: {
        namespace,
        name,
        labels: pod.metadata.labels ?? {},
        ips: place.ips,
        node: this.parts.node,
        ...(hostname !== undefined && { hostname }),
        ...(subdomain !== undefined && { subdomain }),
        ready: isUp && isSaidReady(pod),
        terminating: isTerminating(pod),
        ports: namedPorts(pod),
      },
      isPublic: place.isPublic,
    };
  }

  private placeOf(
    pod: PodRecord['pod'],
    attachments: readonly AttachmentRecord[],
    nodeIps: readonly string[],
  ): { ips: readonly string[]; isPublic: boolean } {
    const home = attachments.find(({ network }) => network === DEFAULT_NETWORK);
    if (home) return { ips: home.ips, isPublic: true };
    const [first] = attachments;
    const network = first && this.parts.networkOf(first.network);
    if (usesHostNetwork(pod) || network?.mode === 'host') return { ips: nodeIps, isPublic: true };
    return { ips: first && network?.isRouted ? first.ips : [], isPublic: false };
  }
}
