/** The etcd store under the shared suite, over a real etcd. */
import { afterAll, beforeAll, describe } from 'vitest';
import { EtcdStore } from '../../../../src/control/store/etcd.js';
import { storeConformance } from '../../../conformance/store.js';
import { etcdMissing, TestEtcd } from '../../../support/etcd.js';

const missing = etcdMissing();
if (missing) console.log(`skipped: ${missing}`);

describe.skipIf(missing)('over a real etcd', () => {
  let etcd: TestEtcd;
  let tests = 0;
  beforeAll(async () => {
    etcd = await TestEtcd.start();
  });
  afterAll(() => etcd?.stop());

  const HISTORY = 20;
  storeConformance('etcd', {
    history: HISTORY,
    fresh: async () => {
      tests++;
    },
    open: () => EtcdStore.open({ urls: [etcd.url], prefix: `podwire-${tests}/` }),
    trim: (revision) => etcd.compact(revision - HISTORY + 1),
  });
});
