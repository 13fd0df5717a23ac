/** A watch of the store over a WebSocket: changes in batches, and how far it is where there are none. */
import { PodwireError } from '../errors.js';
import type { Change, Store, Watch } from '../store/store.js';
import type { Channel } from './routes.js';
import type { StoreInfo, StoreWatchMessage } from './store-schemas.js';

/** Without changes that matter, the client hears so often (ms) where it could take up its watch again. */
const PROGRESS_EVERY = 5000;
/** About so many changes in one message. */
const BATCH = 500;
/** Listing it answers how far the store is, and no entries. */
const NOTHING = 'none/';

/** Which store it is, and how far. */
export async function stateOf(store: Store): Promise<StoreInfo> {
  const { store: name = '', revision } = await store.list(NOTHING);
  return { store: name, revision };
}

/**
 * All of the store is watched, and what is not asked for is left out here: so the client's revision moves on, and its
 * watch does not become too old while other keys change.
 * @throws PodwireError REVISION_TOO_OLD, also where the store is not even as far: then it has lost its data
 */
export async function watchStore(
  store: Store,
  { prefix, after }: { prefix: string; after: number | undefined },
  channel: Channel,
): Promise<Watch> {
  const { store: name, revision } = await stateOf(store);
  if (after !== undefined && after > revision) {
    throw new PodwireError(
      'REVISION_TOO_OLD',
      `revision ${after} is after the store's ${revision}, which has lost changes: list again`,
    );
  }
  const batches = new Batches(prefix, after ?? revision, (message) => channel.send(message));
  const watch = await store.watch({
    prefix: '',
    after: after ?? revision,
    onChange: (change) => batches.add(change),
    onEnd: (error) => channel.fail(error),
  });
  channel.send({ store: name, revision, changes: [] } satisfies StoreWatchMessage);
  const progress = setInterval(() => batches.tell(), PROGRESS_EVERY).unref();
  return {
    close: () => {
      clearInterval(progress);
      batches.close();
      watch.close();
    },
  };
}

/** Gathers what comes in one turn of the event loop, so that no revision is in two messages. */
class Batches {
  private changes: Change[] = [];
  private told: number;
  private flush: NodeJS.Immediate | undefined;

  constructor(
    private readonly prefix: string,
    private reached: number,
    private readonly send: (message: StoreWatchMessage) => void,
  ) {
    this.told = reached;
  }

  add(change: Change): void {
    if (this.changes.length >= BATCH && change.revision !== this.reached) this.tell();
    this.reached = change.revision;
    if (!change.key.startsWith(this.prefix)) return;
    this.changes.push(change);
    this.flush ??= setImmediate(() => this.tell());
  }

  tell(): void {
    this.close();
    if (this.reached === this.told && this.changes.length === 0) return;
    this.send({ revision: this.reached, changes: this.changes });
    this.told = this.reached;
    this.changes = [];
  }

  close(): void {
    if (this.flush) clearImmediate(this.flush);
    this.flush = undefined;
  }
}
