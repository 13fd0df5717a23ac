/**
 * podwire-cni: what container runtimes start to connect a container (CNI specification 1.1). One command, one answer:
 *
 *   environment ─► command, container ┐
 *   standard input ─► configuration   ├─► the daemon ─► result or error on standard output, exit status 0 or 1
 *
 * It is started anew for each interface of each container, so this folder imports nothing but Node's own modules and itself
 * (and types): it starts in little more than Node does, and can be copied to where the rest of podwire is not.
 */
import { add, check, del, gc, status } from './commands.js';
import { type Config, decodeConfig, readConfig } from './config.js';
import { type Command, readCommand, readContainer, type Variables } from './environment.js';
import { errorObject } from './errors.js';
import { readInput } from './input.js';
import type { Json } from './shape.js';
import { type CniVersion, decodeVersion, NEWEST, requireVersion, SUPPORTED_VERSIONS } from './versions.js';

/** What is printed, if anything, and the exit status. */
export interface Outcome {
  readonly answer?: Json;
  readonly status: 0 | 1;
}

/** Does what the environment asks, prints the answer, and ends the process. */
export async function run(): Promise<void> {
  const { answer, status } = await respond(process.env, readInput);
  // Where the runtime has closed its end there is nobody left to tell
  process.stdout.on('error', () => process.exit(1));
  const text = answer === undefined ? '' : `${JSON.stringify(answer, null, 2)}\n`;
  process.stdout.write(text, () => process.exit(status));
}

/** Never throws. @param read standard input, when it is needed */
export async function respond(variables: Variables, read: typeof readInput): Promise<Outcome> {
  let spoken: string = NEWEST;
  try {
    const answer = await dispatch(variables, read, (version) => {
      spoken = version;
    });
    return { ...(answer && { answer }), status: 0 };
  } catch (error) {
    return { answer: { ...errorObject(error, spoken) }, status: 1 };
  }
}

/** @param speak told the version of the configuration, in which errors are said as well */
async function dispatch(
  variables: Variables,
  read: typeof readInput,
  speak: (version: CniVersion) => void,
): Promise<Json | undefined> {
  const command = readCommand(variables);
  if (command === 'VERSION') return versions(await read({ mayBeOpen: true }));
  // The environment first: a call that cannot be need not wait for its input
  const container = ofContainer(command, variables);
  const json = decodeConfig(await read());
  const version = decodeVersion(json.cniVersion);
  speak(version);
  const config = readConfig(json);
  if (container !== undefined) return container(config, version);
  requireVersion(command, version, '1.1.0');
  return command === 'STATUS' ? status(config) : gc(config);
}

/** Answers in the version that is asked in, whichever it is: this is how a runtime finds out. */
function versions(text: string): Json {
  const { cniVersion } = text.trim() === '' ? {} : decodeConfig(text);
  const isText = typeof cniVersion === 'string' && cniVersion !== '';
  return { cniVersion: isText ? cniVersion : NEWEST, supportedVersions: SUPPORTED_VERSIONS };
}

type OfContainer = (config: Config, version: CniVersion) => Promise<Json | undefined>;

/** The commands that are about one container; undefined for the others. */
function ofContainer(command: Command, variables: Variables): OfContainer | undefined {
  if (command !== 'ADD' && command !== 'DEL' && command !== 'CHECK') return undefined;
  const container = readContainer(command, variables);
  if (command === 'ADD') return (config, version) => add(config, version, container);
  if (command === 'DEL') return (config) => del(config, container);
  return async (config, version) => {
    requireVersion(command, version, '0.4.0');
    return check(config, container);
  };
}
