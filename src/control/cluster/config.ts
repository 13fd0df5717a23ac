/**
 * What all nodes of a cluster have in common: the prefixes of pods and services, and the VNI of their tunnel. The
 * first node writes it down; for the others an option that is not given is as the cluster has it, and one that
 * says something else is refused. A node that is alone may change it.
 */
import { isDeepStrictEqual } from 'node:util';
import { asPodwireError, PodwireError } from '../errors.js';
import { checker, closed } from '../model/schema.js';
import { type ClusterOption, type DaemonOptions, refuseStray } from '../options.js';
import { ABSENT, type Json, type Store } from '../store/store.js';
import { CLUSTER_CONFIG } from './records.js';

export interface ClusterConfig {
  readonly clusterCidrs: readonly string[];
  readonly serviceCidrs: readonly string[];
  readonly vni: number;
}

const CIDRS = { type: 'array', minItems: 1, maxItems: 2, items: { type: 'string' } };

const check = checker<ClusterConfig>(
  closed({ clusterCidrs: CIDRS, serviceCidrs: CIDRS, vni: { type: 'integer', minimum: 1 } }, [
    'clusterCidrs',
    'serviceCidrs',
    'vni',
  ]),
  CLUSTER_CONFIG,
);

const FIELDS = [
  ['cluster-cidr', 'clusterCidrs'],
  ['service-cidr', 'serviceCidrs'],
  ['vni', 'vni'],
] as const satisfies readonly (readonly [ClusterOption, keyof ClusterConfig])[];

/** What these options make of a new cluster. */
export function configOf({ clusterCidrs, serviceCidrs, vni }: DaemonOptions): ClusterConfig {
  return { clusterCidrs, serviceCidrs, vni };
}

/** @throws PodwireError INVALID */
export function readConfig(value: Json): ClusterConfig {
  return check(value);
}

/**
 * The cluster's, written down where it is not yet.
 * @param isAlone whether no other node is known to the store.
 * @throws PodwireError CLUSTER_MISMATCH, INVALID for a --pod-cidr outside of it, and what the store throws
 */
export async function agreeOnConfig(
  store: Store,
  options: DaemonOptions,
  isAlone: () => Promise<boolean>,
): Promise<ClusterConfig> {
  const wanted = configOf(options);
  for (;;) {
    const found = await store.get(CLUSTER_CONFIG);
    if (found) {
      const config = readConfig(found.value);
      const other = mismatch(config, options);
      if (other === undefined) return config;
      if (!(await isAlone())) throw other;
    }
    try {
      await store.put(CLUSTER_CONFIG, asJson(wanted), found?.revision ?? ABSENT);
      return wanted;
    } catch (error) {
      // Another node was first: see what it wrote.
      if (!(error instanceof PodwireError) || error.code !== 'CONFLICT') throw error;
    }
  }
}

/** What keeps a node with these options out of the cluster; undefined: nothing. */
export function mismatch(config: ClusterConfig, options: DaemonOptions): PodwireError | undefined {
  return otherOption(config, options) ?? strayCidr(config, options);
}

function strayCidr({ clusterCidrs }: ClusterConfig, { podCidrs }: DaemonOptions): PodwireError | undefined {
  try {
    refuseStray(podCidrs ?? [], clusterCidrs);
    return undefined;
  } catch (error) {
    return asPodwireError(error);
  }
}

/** The first option that is given and says something else. */
function otherOption(config: ClusterConfig, options: DaemonOptions): PodwireError | undefined {
  for (const [option, field] of FIELDS) {
    if (!options.given.includes(option) || isDeepStrictEqual(config[field], options[field])) continue;
    return new PodwireError(
      'CLUSTER_MISMATCH',
      `--${option} ${String(options[field])}: the cluster has ${String(config[field])}; leave it out to take that`,
      `--${option}`,
    );
  }
  return undefined;
}

function asJson(config: ClusterConfig): Json {
  return JSON.parse(JSON.stringify(config)) as Json;
}
