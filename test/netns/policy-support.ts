/**
 * Two nodes and a host outside (services-support.ts has the picture) with pods in several namespaces, and what is said to both nodes
 * about them.
 */
import { expect } from 'vitest';
import type { AttachRequest } from '../../src/control/api/types.js';
import type { ClusterNode } from './cluster-support.js';
import { outcome } from './daemon-support.js';
import { FAMILIES, type Family, missingForServices, ServiceWorld } from './services-support.js';

export const missingForPolicies = missingForServices;

export type Labels = Record<string, string>;

export interface PodPlan {
  readonly node: 'k1' | 'k2';
  readonly namespace?: string;
  readonly labels: Labels;
  readonly network?: string;
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Labels };
  readonly spec?: object;
}

const PLURALS: Record<string, string> = {
  Namespace: 'namespaces',
  Network: 'networks',
  Pod: 'pods',
  Service: 'services',
  NetworkPolicy: 'networkpolicies',
  AdminNetworkPolicy: 'adminnetworkpolicies',
  BaselineAdminNetworkPolicy: 'baselineadminnetworkpolicies',
};
const WITHOUT_NAMESPACE = new Set([
  'Namespace',
  'Network',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
]);

function pathOf({ kind, metadata: { name, namespace = 'default' } }: Manifest): string {
  return `/v1/${PLURALS[kind]}/${WITHOUT_NAMESPACE.has(kind) ? '' : `${namespace}/`}${name}`;
}

/** A NetworkPolicy in short. */
export function networkPolicy(name: string, spec: object, namespace = 'default'): Manifest {
  return {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    ...{ metadata: { name, namespace }, spec },
  };
}

export function namespaceOf(name: string, labels: Labels): Manifest {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

export class PolicyWorld {
  protected constructor(
    readonly services: ServiceWorld,
    protected readonly pods: Record<string, PodPlan>,
  ) {}

  /** @param before what is to be there before the pods are */
  static async start(pods: Record<string, PodPlan>, ...before: Manifest[]): Promise<PolicyWorld> {
    const world = new PolicyWorld(await ServiceWorld.start(), pods);
    return world.begun(() => world.fill(...before));
  }

  get nodes(): ClusterNode[] {
    return [this.services.k1, this.services.k2];
  }

  get log(): string {
    return this.services.cluster.log;
  }

  /** In force on both nodes when it returns: each answers for itself. A pod is its own node's. */
  async apply(...manifests: Manifest[]): Promise<void> {
    for (const manifest of manifests) {
      const { kind, metadata } = manifest;
      const nodes = kind === 'Pod' ? [this.services[this.pods[metadata.name].node]] : this.nodes;
      for (const node of nodes) await this.applyAt(node, manifest);
    }
  }

  async applyAt({ bench }: ClusterNode, manifest: Manifest): Promise<void> {
    const answer = await bench.call('PUT', pathOf(manifest), manifest);
    expect(outcome(answer), JSON.stringify(answer.body)).toMatch(/^20/);
  }

  /** A pod gets its first labels again. */
  async remove(...manifests: Manifest[]): Promise<void> {
    for (const manifest of manifests) {
      if (manifest.kind === 'Pod') {
        await this.label(manifest.metadata.name);
        continue;
      }
      const gone = this.nodes.map(({ bench }) => bench.call('DELETE', pathOf(manifest)));
      for (const answer of await Promise.all(gone)) expect(outcome(answer)).toMatch(/^(20|404)/);
    }
  }

  /** Labels of a pod, in place of those that it has; its first ones, where none are given. */
  label(pod: string, labels: Labels = this.pods[pod].labels): Promise<void> {
    const { namespace = 'default' } = this.pods[pod];
    return this.apply({ apiVersion: 'v1', kind: 'Pod', metadata: { name: pod, namespace, labels } });
  }

  address(who: string, family: Family): string {
    return this.services.address(who, family);
  }

  addresses(who: string): string[] {
    return FAMILIES.map((family) => this.address(who, family));
  }

  async attach(name: string, body: Partial<AttachRequest> = {}): Promise<void> {
    const { node, labels, namespace, network } = this.pods[name];
    const wish = network === undefined ? { labels, ...body } : { labels, network, ...body };
    await this.services.pod(this.services[node], name, wish, namespace);
  }

  async cleanup(): Promise<void> {
    await this.services.cleanup();
  }

  protected async begun<T>(fill: () => Promise<T>): Promise<this> {
    try {
      await fill();
      return this;
    } catch (error) {
      console.error(this.log);
      await this.cleanup();
      throw error;
    }
  }

  protected async fill(...before: Manifest[]): Promise<void> {
    await this.apply(...before);
    const names = Object.keys(this.pods);
    const attach = async (node: string) => {
      for (const name of names.filter((pod) => this.pods[pod].node === node)) await this.attach(name);
    };
    await Promise.all([attach('k1'), attach('k2')]);
  }
}
