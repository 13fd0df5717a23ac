/** The daemon, when one is running: reachable, ready, and its MTU in force. */
import { existsSync, readFileSync } from 'node:fs';
import type { StatusAnswer } from '../../control/api/types.js';
import type { ApiClient } from '../client.js';
import { CliError } from '../errors.js';
import { ioName } from '../output/io-name.js';
import { counted } from '../output/units.js';
import { type Finding, failed, ok, warning } from './finding.js';

const NODE_INTERFACE_MTU = '/sys/class/net/podwire0/mtu';

/** Its status, or the finding that there is none. */
export async function askDaemon(client: ApiClient): Promise<StatusAnswer | Finding> {
  try {
    return await client.get<StatusAnswer>('/v1/status');
  } catch (error) {
    const message = error instanceof CliError ? error.message : String(error);
    const [found = '', ...fix] = message.split('; ');
    return warning('daemon', found, fix.join('; ') || 'look at its log');
  }
}

export function daemon(status: StatusAnswer): Finding {
  const found =
    `${status.node}: version ${status.version}, ${ioName(status.io)}, ` +
    `${counted(status.pods, 'pod')}, ${status.peers.length === 0 ? 'no peers' : counted(status.peers.length, 'peer')}`;
  return status.ready
    ? ok('daemon', found)
    : failed('daemon', `${found}; not ready`, 'its log says what it waits for');
}

/** The node's interface has to have the MTU that pods have; only where the daemon runs in this namespace. */
export function mtu(status: StatusAnswer): Finding {
  const found = existsSync(NODE_INTERFACE_MTU) ? Number(readFileSync(NODE_INTERFACE_MTU, 'utf8')) : undefined;
  if (found === undefined) return ok('MTU', `${status.mtu}; podwire0 is in another namespace than this`);
  if (found === status.mtu) return ok('MTU', String(found));
  return warning(
    'MTU',
    `podwire0 has ${found}, pods ${status.mtu}`,
    `ip link set podwire0 mtu ${status.mtu}`,
  );
}
