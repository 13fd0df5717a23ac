/**
 * From VXLAN network identifier to bridge domain. Immutable; plain typed arrays; one entry for each domain of the
 * snapshot that has a VNI.
 */
import type { DomainSpec } from '../snapshot.js';
import { buildStaticIndex, StaticIndex, type StaticIndexData } from './static-index.js';
import { requireInteger } from './table-error.js';

const MOST_VNI = 0xff_ffff;

export interface VniTableData {
  readonly index: StaticIndexData;
  readonly domains: Uint16Array;
}

/** @throws TableError TABLE_DUPLICATE for a VNI given twice, TABLE_INVALID */
export function buildVniTable(domains: readonly DomainSpec[]): VniTableData {
  const carried = domains.flatMap(({ id, vni }) => (vni === undefined ? [] : [{ id, vni }]));
  const keys = new Int32Array(carried.length * 2);
  for (const [position, { vni }] of carried.entries()) {
    requireInteger('VNI', vni, 0, MOST_VNI);
    keys[position * 2 + 1] = vni;
  }
  const { data, order } = buildStaticIndex(keys, 2, 0, (at) => `VNI ${carried[at].vni}`);
  return { index: data, domains: Uint16Array.from(order, (at) => carried[at].id) };
}

export class VniIndex {
  private readonly index: StaticIndex;

  constructor(private readonly data: VniTableData) {
    this.index = new StaticIndex(data.index);
  }

  /** The domain of a VNI, or -1. */
  find(vni: number): number {
    const record = this.index.find2(0, vni);
    return record < 0 ? -1 : this.data.domains[record];
  }
}
