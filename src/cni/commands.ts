/**
 * The commands of the CNI specification (1.1, section 2) as requests to the daemon. Each answers what is to be printed, or
 * undefined where nothing is.
 *
 * DEL works as far as it can: it reads no more of the configuration than where the daemon is, heeds no prevResult, and
 * succeeds while the daemon is away if the namespace is gone, since the daemon releases what was in it by itself. While
 * the namespace is there it fails with code 11, because the interface and its addresses are in use still
 * (docs/decisions/0036-cni.md).
 */
import type {
  CniAddAnswer,
  CniAddRequest,
  CniCheckRequest,
  CniDelRequest,
  CniGcRequest,
} from '../control/api/cni-types.js';
import { parseArgs } from './args.js';
import { type Config, checkKeys, type Dns, readDns, readNetwork } from './config.js';
import { get, post } from './daemon.js';
import type { Container } from './environment.js';
import { CniCode, CniError, excerpt, invalidConfig, invalidEnvironment } from './errors.js';
import { isNamespaceGone, isOwnNamespace } from './namespace.js';
import { podOf } from './pod-name.js';
import { expectedOf, readPrevious, resultOf, worded } from './result.js';
import { type Json, readObjects, readString } from './shape.js';
import type { CniVersion } from './versions.js';
import { readWishes, type Wishes } from './wishes.js';

/** @throws CniError, as all of these. */
export async function add(config: Config, version: CniVersion, container: Container): Promise<Json> {
  checkKeys(config);
  const args = parseArgs(container.args);
  const wishes = readWishes(config.json, args);
  const dns = mergedDns(readDns(config), wishes.dns);
  const previous = readPrevious(config.json);
  refuseOwn(container.netns);
  const { ips, mac, aliases, labels, bandwidth, portMappings } = wishes;
  const body: CniAddRequest = {
    ...attachmentOf(config, container),
    netns: container.netns,
    network: readNetwork(config),
    pod: await podOf(args),
    ips,
    mac,
    aliases,
    labels,
    bandwidth,
    portMappings,
  };
  const answer = await post<CniAddAnswer>(config.socket, '/v1/cni/add', body);
  return worded(resultOf(answer, container.netns, dns, previous), version);
}

export async function del(config: Config, container: Container): Promise<undefined> {
  const body: CniDelRequest = attachmentOf(config, container);
  try {
    await post(config.socket, '/v1/cni/del', body);
  } catch (error) {
    const isAway = error instanceof CniError && error.code === CniCode.TRY_AGAIN_LATER;
    if (!isAway || !isNamespaceGone(container.netns)) throw error;
  }
}

export async function check(config: Config, container: Container): Promise<undefined> {
  checkKeys(config);
  readNetwork(config);
  const previous = readPrevious(config.json);
  if (previous === undefined) {
    throw invalidConfig('prevResult', 'is missing; the runtime hands CHECK the result of the last ADD');
  }
  const body: CniCheckRequest = {
    ...attachmentOf(config, container),
    netns: container.netns,
    ...expectedOf(previous, container.ifname),
  };
  try {
    await post(config.socket, '/v1/cni/check', body);
  } catch (error) {
    throw isDaemons(error, 'NOT_FOUND')
      ? new CniError('UNKNOWN_CONTAINER', error.message, error.word)
      : error;
  }
}

/** Any error that an ADD would meet now is NOT_AVAILABLE; without forwarding, those attached are cut off as well. */
export async function status(config: Config): Promise<undefined> {
  checkKeys(config);
  const network = readNetwork(config);
  readDns(config);
  try {
    await get(config.socket, `/v1/cni/status?network=${network}`);
  } catch (error) {
    if (!(error instanceof CniError)) throw error;
    const isLimited = isDaemons(error, 'DATAPLANE_FAILED');
    throw new CniError(isLimited ? 'LIMITED_CONNECTIVITY' : 'NOT_AVAILABLE', error.message, error.word);
  }
}

/** Releases what is not in the list. Without a list nothing is released: null is the reference library's empty one. */
export async function gc(config: Config): Promise<undefined> {
  const { json, name, socket } = config;
  const key = ['cni.dev/valid-attachments', 'cni.dev/attachments'].find((candidate) => candidate in json);
  if (key === undefined) {
    throw invalidConfig('cni.dev/valid-attachments', 'is missing; the runtime lists what is to stay there');
  }
  const valid = readObjects(json[key], key).map(({ containerID, ifname }, index) => ({
    containerId: needed(containerID, `${key}[${index}].containerID`),
    ifname: needed(ifname, `${key}[${index}].ifname`),
  }));
  const body: CniGcRequest = { config: name, valid };
  await post(socket, '/v1/cni/gc', body);
}

function attachmentOf({ name }: Config, { containerId, ifname }: Container): CniDelRequest {
  return { containerId, ifname, config: name };
}

/** An interface for a container in the host's own namespace would be one of the host. */
function refuseOwn(netns: string): void {
  if (!isOwnNamespace(netns)) return;
  throw invalidEnvironment(
    'CNI_NETNS',
    `${netns} is the host's own namespace; a container needs one of its own`,
  );
}

/** What the runtime says of name servers counts before what the configuration says. */
function mergedDns(configured: Dns, { nameservers, search, options }: Wishes['dns']): Dns {
  return {
    ...configured,
    ...(nameservers.length > 0 && { nameservers }),
    ...(search.length > 0 && { search }),
    ...(options.length > 0 && { options }),
  };
}

function needed(value: unknown, key: string): string {
  const text = readString(value, key) ?? '';
  if (text !== '') return text;
  throw invalidConfig(key, `${excerpt(value)}: must not be empty`);
}

function isDaemons(error: unknown, word: string): error is CniError {
  return error instanceof CniError && error.word === word;
}
