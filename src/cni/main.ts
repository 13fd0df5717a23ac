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
import { type Command, readCommand, readContainer } from './environment.js';
import { errorObject } from './errors.js';
import { readInput } from './input.js';
import type { Json } from './shape.js';
import {
  type CniVersion,
  decodeVersion,
  isSupported,
  NEWEST,
  requireVersion,
  SUPPORTED_VERSIONS,
} from './versions.js';

/** Does what the environment asks, prints the answer, and ends the process. */
export async function run(): Promise<void> {
  const call = new Call();
  try {
    const answer = await call.answer();
    end(answer, 0);
  } catch (error) {
    end({ ...errorObject(error, call.version) }, 1);
  }
}

class Call {
  /** For error objects: the configuration's, once that is known. */
  version: string = NEWEST;

  async answer(): Promise<Json | undefined> {
    const command = readCommand(process.env);
    if (command === 'VERSION') return this.versions(await readInput({ mayBeOpen: true }));
    // The environment first: a call that cannot be need not wait for its input
    const container = ofContainer(command);
    const json = decodeConfig(await readInput());
    if (isSupported(json.cniVersion)) this.version = json.cniVersion;
    const version = decodeVersion(json.cniVersion);
    const config = readConfig(json);
    if (container !== undefined) return container(config, version);
    requireVersion(command, version, '1.1.0');
    return command === 'STATUS' ? status(config) : gc(config);
  }

  /** Answers in the version that is asked in, whichever it is: this is how a runtime finds out. */
  private versions(text: string): Json {
    const { cniVersion } = text.trim() === '' ? {} : decodeConfig(text);
    const isText = typeof cniVersion === 'string' && cniVersion !== '';
    return { cniVersion: isText ? cniVersion : NEWEST, supportedVersions: SUPPORTED_VERSIONS };
  }
}

type OfContainer = (config: Config, version: CniVersion) => Promise<Json | undefined>;

/** The commands that are about one container; undefined for the others. */
function ofContainer(command: Command): OfContainer | undefined {
  if (command !== 'ADD' && command !== 'DEL' && command !== 'CHECK') return undefined;
  const container = readContainer(command, process.env);
  if (command === 'ADD') return (config, version) => add(config, version, container);
  if (command === 'DEL') return (config) => del(config, container);
  return async (config, version) => {
    requireVersion(command, version, '0.4.0');
    return check(config, container);
  };
}

/** Where the runtime has closed its end there is nobody left to tell. */
function end(answer: Json | undefined, status: number): void {
  process.stdout.on('error', () => process.exit(1));
  const text = answer === undefined ? '' : `${JSON.stringify(answer, null, 2)}\n`;
  process.stdout.write(text, () => process.exit(status));
}
