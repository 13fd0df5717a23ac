/**
 * The file of a unix socket. One that nobody answers on is a dead daemon's and may be replaced; one that somebody
 * answers on, or a file of another kind, is left alone.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { PodwireError } from '../errors.js';

/** sockaddr_un.sun_path, with its final 0. */
const LONGEST_PATH = 107;
/** Of the socket between front.ts and the server, beside the API's own. */
export const INNER_SUFFIX = '.tcp';

/**
 * Makes the socket's directory, and makes sure that its path is free or a dead daemon's.
 * @throws PodwireError SOCKET_IN_USE, SOCKET_FAILED
 */
export async function refuseLiveSocket(path: string): Promise<void> {
  if (Buffer.byteLength(path) > LONGEST_PATH) {
    throw socketFailed(path, `its path is longer than the ${LONGEST_PATH} bytes that a socket may have`);
  }
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (error) {
    throw socketFailed(path, error instanceof Error ? error.message : String(error));
  }
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket()) throw socketFailed(path, 'the path is taken by a file that is no socket');
  if (await isAnswered(path)) {
    throw new PodwireError(
      'SOCKET_IN_USE',
      `${path}: another process answers there; stop it, or give --socket another path`,
    );
  }
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export function socketFailed(path: string, why: string): PodwireError {
  return new PodwireError('SOCKET_FAILED', `API socket ${path}: ${why}`);
}
