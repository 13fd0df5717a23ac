/**
 * Waits for the daemon before a runtime is told of it: from the moment that the conflist is there, the node counts as
 * having a network, and a kubelet sends pods to it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '../client.js';
import { ApiError, CliError, failure } from '../errors.js';

const AGAIN_MS = 250;

/** @throws CliError NOT_READY after `waitMs`; NOT_FOUND where the daemon has no such network */
export async function waitForDaemon(socket: string, network: string, waitMs: number): Promise<void> {
  const client = new ApiClient(socket);
  const deadline = Date.now() + waitMs;
  for (;;) {
    const problem = await problemOf(client);
    if (problem === undefined) break;
    if (problem.code === 'SOCKET_FORBIDDEN') throw problem;
    if (Date.now() >= deadline) throw notReady(socket, waitMs, problem);
    await sleep(Math.min(AGAIN_MS, waitMs));
  }
  await requireNetwork(client, network);
}

/** Undefined: it is ready. */
async function problemOf(client: ApiClient): Promise<CliError | undefined> {
  try {
    await client.get('/readyz');
    return undefined;
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
}

function notReady(socket: string, waitMs: number, problem: CliError): CliError {
  return failure(
    'NOT_READY',
    `the daemon on ${socket} was not ready within ${waitMs / 1000} s (${problem.message}); the conflist is as it was: start the daemon and install again, or use --no-wait`,
  );
}

/** A conflist for a network that is not there would fail every container. */
async function requireNetwork(client: ApiClient, network: string): Promise<void> {
  try {
    await client.get(`/v1/networks/${encodeURIComponent(network)}`);
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'NOT_FOUND') throw error;
    throw new CliError(
      'NOT_FOUND',
      `--network ${network}: the daemon has no such network; podwire get networks shows them`,
    );
  }
}
