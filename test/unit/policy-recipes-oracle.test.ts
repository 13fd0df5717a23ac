/**
 * The matrices that test/netns/policy-recipes.test.ts expects were written by a person: here the oracle of policies, which knows the
 * API's text alone, says the same of each cell.
 */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  asked,
  COLUMNS,
  filled,
  isAsked,
  NAMESPACES,
  PODS,
  PORTS,
  ROWS,
  readRecipe,
  SERVICES,
} from '../netns/policy-cast.js';
import type { Letter } from '../netns/policy-matrix.js';
import type { Manifest } from '../netns/policy-support.js';
import type { OracleCluster, OraclePod, RawPolicy } from '../support/policy-manifests.js';
import { judge } from '../support/policy-oracle.js';

const FOLDER = new URL('../netns/policy-recipes/', import.meta.url);
const RECIPES = readdirSync(FOLDER)
  .sort()
  .map((name) => readRecipe(new URL(name, FOLDER)));

type Pairs = Record<string, readonly [string, string]>;

/** As the pods and hosts of the world have them; a pod asks a node at the address of the underlay, and is asked from that in the tunnel. */
const ADDRESSES: Pairs = Object.fromEntries(
  Object.entries(PODS).map(([name, { node }], index) => [
    name,
    [`10.244.${Number(node[1]) - 1}.${10 + index}`, `fd00:10:244:${Number(node[1]) - 1}::${10 + index}`],
  ]),
);
const HOSTS: Pairs = {
  ext: ['192.168.77.100', 'fd77::100'],
  k1: ['192.168.77.1', 'fd77::1'],
  k2: ['192.168.77.2', 'fd77::2'],
};
const INSIDE: Pairs = { k1: ['10.244.0.2', 'fd00:10:244::2'], k2: ['10.244.1.2', 'fd00:10:244:1::2'] };
const PROTOCOLS = { tcp: 'TCP', udp: 'UDP', ping: 'ICMP' };

interface PodManifest extends Manifest {
  readonly spec: {
    readonly containers: { ports: { name: string; containerPort: number; protocol?: string }[] }[];
  };
}

function cluster(manifests: readonly Manifest[]): OracleCluster {
  const named = manifests.filter(({ kind }) => kind === 'Pod') as PodManifest[];
  const pods = Object.entries(PODS).map(([name, { node, namespace = 'default', labels }]): OraclePod => {
    const spec = named.find(({ metadata }) => metadata.name === name)?.spec;
    const ports = (spec?.containers ?? []).flatMap(({ ports }) =>
      ports.map(({ name, containerPort, protocol = 'TCP' }) => ({ name, port: containerPort, protocol })),
    );
    return {
      name,
      namespace,
      node,
      labels,
      ports,
      interfaces: [{ network: 'default', ips: ADDRESSES[name] }],
    };
  });
  return {
    namespaces: Object.fromEntries(NAMESPACES.map(({ metadata }) => [metadata.name, metadata.labels ?? {}])),
    pods,
    nodes: ['k1', 'k2'].map((name) => ({ name, addresses: [...HOSTS[name], ...INSIDE[name]] })),
    ...{ cidrs: ['10.244.0.0/16', 'fd00:10:244::/48'], overlays: [] },
    policies: manifests.filter(({ kind }) => kind === 'NetworkPolicy') as unknown as RawPolicy[],
  };
}

/** A service is its pods, all of which have to say the same; but a pod alone that asks itself. */
function targets(column: string): string[] {
  const service = SERVICES[column];
  if (!service) return [column];
  const isSelected = ({ labels, namespace }: (typeof PODS)[string]) =>
    namespace === undefined &&
    Object.entries(service.selector).every(([key, value]) => labels[key] === value);
  return Object.keys(PODS).filter((name) => isSelected(PODS[name]));
}

function isAllowed(within: OracleCluster, row: string, column: string, letter: Letter): boolean {
  const { kind, port } = PORTS[letter];
  const verdicts = targets(column).flatMap((target) =>
    [0, 1].map((family) => {
      const from = { ...ADDRESSES, ...HOSTS, ...INSIDE }[row][family];
      const to = { ...ADDRESSES, ...HOSTS }[target][family];
      const asked = { from, to, protocol: PROTOCOLS[kind], ...(kind === 'ping' ? {} : { port }) };
      const { egress, ingress } = judge(within, asked);
      return egress.allowed && ingress.allowed;
    }),
  );
  if (new Set(verdicts).size !== 1) throw new Error(`${row} ${column} ${letter}: ${verdicts.join()}`);
  return verdicts[0];
}

describe('the recipes of policies', () => {
  it.each(RECIPES)('$title', ({ manifests, matrix }) => {
    const within = cluster(manifests);
    const found = filled(() => new Set());
    for (const row of ROWS) {
      for (const column of COLUMNS.filter((name) => isAsked(row, name))) {
        const letters = asked(column).filter((letter) => isAllowed(within, row, column, letter));
        found.set(row, column, new Set(letters));
      }
    }
    expect(`${found}`).toBe(`${matrix}`);
  });
});
