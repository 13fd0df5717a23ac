/**
 * The options of the API on TCP and of joining a cluster: --listen, --token-file, --tls-*, --join. Whether the
 * files are there and fit is found out when the API begins to listen (api/credentials.ts).
 *
 * Who may open the unix socket may use the API; on TCP everybody could. So --listen wants a token, or a CA whose
 * certificates clients must have: also on the loopback, which every user of the machine reaches.
 */
import { isIP } from 'node:net';
import { invalid } from './errors.js';

export interface ListenAddress {
  /** An address or a name, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

/** Paths of PEM files. */
export interface TlsFiles {
  /** With its intermediates, and the key of it: both or neither. */
  readonly cert?: string;
  readonly key?: string;
  /** Who must have signed the other side's certificate: a client's with --listen, the server's with --join. */
  readonly ca?: string;
}

export interface ListenOptions {
  readonly listen?: ListenAddress;
  readonly tokenFile?: string;
  readonly tls?: TlsFiles;
  /** `https://k1:7443`, without a path. */
  readonly join?: string;
}

type Values = Readonly<Record<string, string | undefined>>;

/** @throws PodwireError INVALID, naming the flag */
export function parseListenOptions(values: Values): ListenOptions {
  const tokenFile = path('--token-file', values['token-file']);
  const tls = parseTls(values);
  const listen = values.listen === undefined ? undefined : parseListen(values.listen);
  const join = values.join === undefined ? undefined : parseServerUrl('--join', values.join);
  if (listen) refuseOpenDoor(tokenFile, tls);
  if (join) refuseUnknownCaller(join, tokenFile, tls);
  return {
    ...(listen && { listen }),
    ...(tokenFile !== undefined && { tokenFile }),
    ...(tls && { tls }),
    ...(join !== undefined && { join }),
  };
}

/**
 * The address of an API: `http://HOST:PORT` or `https://HOST:PORT`, answered without a path.
 * @throws PodwireError INVALID
 */
export function parseServerUrl(flag: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    throw invalid(flag, `'${text}' is no URL like https://10.0.0.1:7443`);
  }
  if (url.username || url.password) throw invalid(flag, 'credentials go into --token-file, not into the URL');
  if (url.pathname !== '/' || url.search || url.hash) {
    throw invalid(flag, `'${text}' has more than scheme, host and port`);
  }
  return url.origin;
}

/** @throws PodwireError INVALID where one of certificate and key is missing */
export function parseTls(values: Values): TlsFiles | undefined {
  const cert = path('--tls-cert', values['tls-cert']);
  const key = path('--tls-key', values['tls-key']);
  const ca = path('--tls-ca', values['tls-ca']);
  if (cert !== undefined && key === undefined) throw invalid('--tls-key', 'is missing beside --tls-cert');
  if (key !== undefined && cert === undefined) throw invalid('--tls-cert', 'is missing beside --tls-key');
  if (cert === undefined && ca === undefined) return undefined;
  return { ...(cert !== undefined && { cert, key }), ...(ca !== undefined && { ca }) };
}

function parseListen(text: string): ListenAddress {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = bracketed ?? plain;
  if (host === undefined || !(port >= 1 && port <= 65535)) {
    throw invalid('--listen', `'${text}' is not HOST:PORT, as in 10.0.0.1:7443 or [fd00::1]:7443`);
  }
  if (host === '') throw invalid('--listen', `'${text}' has no host; every address is 0.0.0.0 or [::]`);
  const good = bracketed === undefined ? /^[\w.-]+$/.test(host) : isIP(host) === 6;
  if (!good) throw invalid('--listen', `'${host}' is neither an address nor a name`);
  return { host, port };
}

function refuseOpenDoor(tokenFile: string | undefined, tls: TlsFiles | undefined): void {
  if (tls?.ca !== undefined && tls.cert === undefined) {
    throw invalid('--tls-ca', 'client certificates need TLS: add --tls-cert and --tls-key');
  }
  if (tokenFile === undefined && tls?.ca === undefined) {
    throw invalid(
      '--listen',
      'would let anybody in: add --token-file, or --tls-cert, --tls-key and --tls-ca for client certificates',
    );
  }
}

/** Every API on TCP wants one of them. */
function refuseUnknownCaller(join: string, tokenFile: string | undefined, tls: TlsFiles | undefined): void {
  const withCertificate = join.startsWith('https:') && tls?.cert !== undefined;
  if (tokenFile === undefined && !withCertificate) {
    throw invalid('--join', 'needs --token-file, or https with --tls-cert and --tls-key');
  }
}

function path(flag: string, text: string | undefined): string | undefined {
  if (text === '' || text?.includes('\0')) throw invalid(flag, 'must be a path');
  return text;
}
