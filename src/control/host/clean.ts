/** Removes what daemons leave on the host on purpose when they stop: the table of nftables, and podwire0 with its routes. */
import { readFileSync } from 'node:fs';
import { asPodwireError } from '../errors.js';
import { listTable, runNft } from './nft.js';
import { REMOVE_RULES } from './nft-rules.js';
import { NODE_IFNAME, takeNodeTap } from './node-interface.js';
import { closeTap, setPersistent } from './tap.js';

/** @returns what was removed. @throws PodwireError INTERFACE_BUSY where a daemon runs here; then nothing is removed */
export async function cleanHost(): Promise<string[]> {
  const interfaces = removeInterface();
  return [...interfaces, ...(await removeTable())];
}

/** Whoever has it open is not robbed of it: opening it fails. */
function removeInterface(): string[] {
  // Not /sys, which is of the namespace that it was mounted in.
  const interfaces = readFileSync('/proc/self/net/dev', 'utf8');
  if (!interfaces.includes(`${NODE_IFNAME}:`)) return [];
  const tap = takeNodeTap(true);
  setPersistent(tap.fd, false);
  closeTap(tap);
  return [`interface ${NODE_IFNAME}`];
}

/** Without nft there is no table of podwire's. */
async function removeTable(): Promise<string[]> {
  try {
    if ((await listTable()) === undefined) return [];
  } catch (error) {
    if (asPodwireError(error).code === 'NFT_MISSING') return [];
    throw error;
  }
  await runNft(REMOVE_RULES);
  return ['nftables table inet podwire'];
}
