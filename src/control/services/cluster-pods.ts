/**
 * Pods of all nodes for the services: this node's as they change, those of others as their nodes tell, and which nodes can
 * be reached. A node that nobody has said can be reached yet, as when this daemon has just started, cannot.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { NodeWord } from '../cluster/cluster.js';
import { type PodListener, PublishedPods, type PublishedPodsParts } from '../cluster/published-pods.js';
import { asPodwireError } from '../errors.js';
import { OwnPods, type OwnPodsParts } from './own-pods.js';
import { podKeyOf, type ServicePod } from './types.js';

export interface ClusterPodsParts {
  readonly own: OwnPodsParts;
  /** undefined: there is no other node. */
  readonly published: Omit<PublishedPodsParts, 'listener' | 'node'> | undefined;
  readonly services: PodListener & {
    setNodeLive(node: string, isLive: boolean): void;
    setZone(node: string, zone: string | undefined): void;
  };
  /** Whoever else wants to know of pods of other nodes. */
  readonly others?: PodListener;
  readonly isNodeLive: (node: string) => boolean;
}

/** How long a daemon that starts waits for the store to tell of pods (ms). */
const START_WAIT = 3000;

export class ClusterPods {
  private readonly own: OwnPods;
  private readonly published: PublishedPods | undefined;

  constructor(private readonly parts: ClusterPodsParts) {
    const { own, published, services, others, isNodeLive } = parts;
    this.published =
      published &&
      new PublishedPods({
        ...published,
        node: own.node,
        listener: {
          setPod: (pod) => {
            if (pod.node !== undefined) services.setNodeLive(pod.node, isNodeLive(pod.node));
            services.setPod(pod);
            others?.setPod(pod);
          },
          removePod: (key) => {
            services.removePod(key);
            others?.removePod(key);
          },
        },
      });
    this.own = new OwnPods(own, {
      set: ({ pod, isPublic }) => {
        services.setPod(pod);
        this.published?.set(isPublic ? pod : withoutAddresses(pod));
      },
      remove: ({ pod }) => {
        services.removePod(podKeyOf(pod));
        this.published?.remove(pod);
      },
    });
  }

  /** Follows the cluster store. Resolves when what it holds is known, or after a while where it does not answer. */
  async start(): Promise<void> {
    const following = this.published?.start().catch((error) => {
      if (asPodwireError(error).code !== 'STOPPING') throw error;
    });
    await Promise.race([following, pause(START_WAIT, undefined, { ref: false })]);
  }

  async stop(): Promise<void> {
    await this.published?.stop();
  }

  /** Something of this node's pods may be different. */
  refresh(): void {
    this.own.refresh();
  }

  leaseChanged(): void {
    this.published?.leaseChanged();
  }

  nodes(nodes: readonly NodeWord[]): void {
    for (const { name, isLive, zone } of nodes) {
      this.parts.services.setNodeLive(name, isLive);
      this.parts.services.setZone(name, zone);
    }
  }
}

function withoutAddresses(pod: ServicePod): ServicePod {
  return { ...pod, ips: [] };
}
