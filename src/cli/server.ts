/** The daemon elsewhere that a command is for: --server and what belongs to it, else the environment. */
import { type Credentials, loadCredentials } from '../control/api/credentials.js';
import { TokenFile } from '../control/api/token-file.js';
import { parseServerUrl, parseTls } from '../control/listen-options.js';
import type { Server } from './client.js';
import { asUsage, usage } from './errors.js';

export interface ServerFlags {
  readonly server?: string;
  readonly tokenFile?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** undefined: none is named. @throws CliError USAGE, INVALID, TLS_FAILED */
export function serverOf(flags: ServerFlags, env: NodeJS.ProcessEnv): Server | undefined {
  const given = flags.server ?? (env.PODWIRE_SERVER || undefined);
  if (given === undefined) {
    if (flags.tokenFile !== undefined) throw usage('--token-file: is for --server, which is missing');
    return undefined;
  }
  try {
    const url = parseServerUrl('--server', given);
    const path = flags.tokenFile ?? (env.PODWIRE_TOKEN_FILE || undefined);
    const tls = credentials(flags, env);
    return {
      url,
      ...(path !== undefined && { token: TokenFile.open(path).current }),
      ...(tls && { tls }),
    };
  } catch (error) {
    throw asUsage(error);
  }
}

function credentials(flags: ServerFlags, env: NodeJS.ProcessEnv): Credentials | undefined {
  const files = parseTls({
    'tls-ca': flags.tlsCa ?? (env.PODWIRE_TLS_CA || undefined),
    'tls-cert': flags.tlsCert ?? (env.PODWIRE_TLS_CERT || undefined),
    'tls-key': flags.tlsKey ?? (env.PODWIRE_TLS_KEY || undefined),
  });
  return files && loadCredentials(files);
}
