/** Opens the cluster store that the options name. What only some of them need is loaded then. */
import { type Credentials, loadCredentials } from '../api/credentials.js';
import { TokenFile } from '../api/token-file.js';
import { asPodwireError, invalid } from '../errors.js';
import type { Logger } from '../logger.js';
import type { DaemonOptions } from '../options.js';
import type { Store } from '../store/store.js';
import { LateStore } from './late-store.js';
import { isPassing, patiently, retrying, storeFields } from './store-link.js';

/**
 * @param local this node's own store, which is the cluster's where no other is named.
 * @param isKnown whether this node was in the cluster before: then it does not wait for a store that is away.
 * @throws PodwireError STORE_UNREACHABLE, UNAUTHORIZED, TLS_FAILED, …
 */
export async function openClusterStore(
  options: DaemonOptions,
  local: Store,
  isKnown: boolean,
  log: Logger,
): Promise<Store> {
  if (options.store.kind === 'embedded') return local;
  const open = opener(options, log);
  try {
    return await patiently(open, retrying(isKnown, log));
  } catch (error) {
    if (!isKnown || !isPassing(error)) throw error;
    const { message } = asPodwireError(error);
    log.warn({ ...storeFields(options.store), error: message }, 'store cannot be opened yet');
    return new LateStore(open, message);
  }
}

function opener({ store, tls, tokenFile }: DaemonOptions, log: Logger): () => Promise<Store> {
  if (store.kind === 'etcd') {
    const urls = [...store.urls];
    // Certificates of the API are no business of an etcd that speaks plain HTTP.
    const isSecure = urls.some((url) => url.startsWith('https:'));
    const credentials = isSecure && tls ? etcdCredentials(loadCredentials(tls)) : undefined;
    return async () => {
      const { EtcdStore } = await import('../store/etcd.js');
      return EtcdStore.open({ urls, ...(credentials && { tls: credentials }) });
    };
  }
  const token = tokenFile === undefined ? undefined : TokenFile.open(tokenFile, log);
  const credentials = tls && loadCredentials(tls);
  const url = store.kind === 'remote' ? store.url : '';
  return async () => {
    const { RemoteStore } = await import('../store/remote.js');
    return RemoteStore.open({
      url,
      ...(token && { token: () => token.current }),
      ...(credentials && { tls: credentials }),
    });
  };
}

/** @throws PodwireError INVALID: etcd's client verifies the server against this CA only */
function etcdCredentials({ ca, cert, key }: Credentials): { ca: Buffer; cert?: Buffer; key?: Buffer } {
  if (!ca)
    throw invalid('--tls-ca', 'is missing: certificates are shown to etcd only where its own is verified');
  return {
    ca: Buffer.from(ca.join('\n')),
    ...(cert !== undefined && key !== undefined && { cert: Buffer.from(cert), key: Buffer.from(key) }),
  };
}
