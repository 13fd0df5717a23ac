/** A server of the API on TCP with a store behind it, for tests of the ways in; and what a client needs for it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Route } from '../../src/control/api/routes.js';
import { ApiServer, type TcpOptions } from '../../src/control/api/server.js';
import { storeRoutes } from '../../src/control/api/store-routes.js';
import { EmbeddedStore } from '../../src/control/store/embedded.js';
import type { Store } from '../../src/control/store/store.js';

export const TOKEN = 'correct-horse-battery-staple';

/** A directory of its own, with a token file. */
export class Bench {
  readonly directory = mkdtempSync(join(tmpdir(), 'podwire-api-'));
  readonly socket = join(this.directory, 'api.sock');
  readonly tokenFile = this.file('token', `${TOKEN}\n`);
  readonly logged: Record<string, unknown>[] = [];
  readonly log = pino(
    { base: undefined },
    { write: (line: string) => void this.logged.push(JSON.parse(line) as Record<string, unknown>) },
  );

  path(name: string): string {
    return join(this.directory, name);
  }

  file(name: string, content: string): string {
    writeFileSync(this.path(name), content, { mode: 0o600 });
    return this.path(name);
  }

  serve(routes: readonly Route[], tcp: Partial<TcpOptions> = {}): Promise<ApiServer> {
    const needed = tcp.tls?.ca === undefined ? { tokenFile: this.tokenFile } : {};
    const address = { host: '127.0.0.1', port: 0 };
    return ApiServer.listen({
      socket: this.socket,
      tcp: { address, ...needed, ...tcp },
      routes,
      log: this.log,
    });
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The store's routes without the restriction to the cluster's keys, as the shared suite uses others. */
export function openStoreRoutes(store: () => Store): Route[] {
  return storeRoutes({ store, keys: '' });
}

export function embedded(path: string, history?: number): EmbeddedStore {
  return EmbeddedStore.open(path, history === undefined ? {} : { history });
}
