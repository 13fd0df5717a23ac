/** The store of another node under the shared suite, over a real server and an embedded store behind it. */
import { afterAll } from 'vitest';
import type { ApiServer } from '../../../../src/control/api/server.js';
import type { EmbeddedStore } from '../../../../src/control/store/embedded.js';
import { RemoteStore } from '../../../../src/control/store/remote.js';
import { storeConformance } from '../../../conformance/store.js';
import { Bench, embedded, openStoreRoutes, TOKEN } from '../../../support/api-server.js';

const HISTORY = 20;
const bench = new Bench();
let made = 0;
let behind: EmbeddedStore | undefined;
let server: ApiServer | undefined;

async function down(): Promise<void> {
  server?.close();
  await behind?.close();
  [server, behind] = [undefined, undefined];
}

afterAll(async () => {
  await down();
  bench.close();
});

storeConformance('remote', {
  history: HISTORY,
  fresh: async () => {
    await down();
    const store = embedded(bench.path(`${made++}.mdb`), HISTORY);
    behind = store;
    server = await bench.serve(openStoreRoutes(() => store));
  },
  open: () => RemoteStore.open({ url: `http://127.0.0.1:${server?.port}`, token: TOKEN }),
});
