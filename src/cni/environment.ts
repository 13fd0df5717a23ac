/**
 * What the runtime says in environment variables (CNI specification 1.1, section 2, Parameters). They are looked at
 * before the configuration, as the reference library does. CNI_PATH is not needed: podwire-cni delegates to nobody.
 */
import { CniError, invalidEnvironment } from './errors.js';

const COMMANDS = ['ADD', 'DEL', 'CHECK', 'STATUS', 'GC', 'VERSION'] as const;

export type Command = (typeof COMMANDS)[number];

/** Of ADD, CHECK and DEL: which interface of which container. */
export interface Container {
  readonly containerId: string;
  readonly ifname: string;
  /** Empty where DEL came without. */
  readonly netns: string;
  /** CNI_ARGS as they are. */
  readonly args: string;
}

export type Variables = Readonly<Record<string, string | undefined>>;

const CONTAINER_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;
/** linux/net/core/dev.c, dev_valid_name; % would be a pattern. */
const IFNAME = /^[^\s/:%]+$/;
const IFNAME_OCTETS = 15;

/** @throws CniError 4 */
export function readCommand(variables: Variables): Command {
  const command = variables.CNI_COMMAND ?? '';
  if ((COMMANDS as readonly string[]).includes(command)) return command as Command;
  const finding = command === '' ? 'is missing' : `'${command}' is no command`;
  throw invalidEnvironment(
    'CNI_COMMAND',
    `${finding}; container runtimes set it to ${COMMANDS.slice(0, -1).join(', ')} or VERSION`,
  );
}

/** @throws CniError 4 naming every variable that is missing, or the first that cannot be. */
export function readContainer(command: 'ADD' | 'CHECK' | 'DEL', variables: Variables): Container {
  const { CNI_CONTAINERID: containerId = '', CNI_IFNAME: ifname = '', CNI_NETNS: netns = '' } = variables;
  const needed = {
    CNI_CONTAINERID: containerId,
    CNI_IFNAME: ifname,
    ...(command !== 'DEL' && { CNI_NETNS: netns }),
  };
  const missing = Object.entries(needed).filter(([, value]) => value === '');
  if (missing.length > 0) {
    const names = missing.map(([name]) => name).join(', ');
    throw new CniError('INVALID_ENVIRONMENT', `${names}: missing; the runtime sets it for ${command}`);
  }
  checkContainerId(containerId);
  checkIfname(ifname);
  if (command !== 'DEL') checkNetns(netns);
  return { containerId, ifname, netns, args: variables.CNI_ARGS ?? '' };
}

function checkContainerId(id: string): void {
  if (CONTAINER_ID.test(id)) return;
  throw invalidEnvironment(
    'CNI_CONTAINERID',
    `'${id}' is not a container's ID: letters, digits, _, . and -, beginning with a letter or digit`,
  );
}

function checkIfname(name: string): void {
  const isPossible = IFNAME.test(name) && Buffer.byteLength(name) <= IFNAME_OCTETS;
  if (isPossible && !['.', '..', 'lo'].includes(name)) return;
  throw invalidEnvironment(
    'CNI_IFNAME',
    `'${name}' cannot be the name of a container's interface: 1 to 15 octets without white space, /, : and %, and not lo`,
  );
}

function checkNetns(path: string): void {
  if (path.startsWith('/')) return;
  throw invalidEnvironment('CNI_NETNS', `'${path}' is not an absolute path such as /run/netns/web`);
}
