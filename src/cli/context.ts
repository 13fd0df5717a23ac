/**
 * What every command of the command line shares: the options before or after any command (`--socket`, `-o`),
 * the client made from them, and where text goes.
 */
import type { Command } from 'commander';
import { yaml } from '../control/yaml.js';
import { ApiClient } from './client.js';
import { usage } from './errors.js';
import { type Column, renderTable } from './output/table.js';
import { type ServerFlags, serverOf } from './server.js';

export const DEFAULT_SOCKET = '/run/podwire/podwire.sock';

/** Ways to print what a command found. `wide` is the table with more columns. */
export type OutputFormat = 'table' | 'json' | 'wide' | 'yaml';

interface GlobalOptions extends ServerFlags {
  readonly socket?: string;
  readonly output?: string;
}

/** Adds the options that stand before or after any command. */
export function addGlobalOptions(program: Command): void {
  program
    .option('--socket <PATH>', `the daemon's unix socket (PODWIRE_SOCKET; default: ${DEFAULT_SOCKET})`)
    .option('--server <URL>', 'a daemon that listens on TCP, instead (PODWIRE_SERVER)')
    .option('--token-file <FILE>', 'bearer token of the API on TCP (PODWIRE_TOKEN_FILE)')
    .option('--tls-ca <FILE>', 'CA of certificates on TCP (PODWIRE_TLS_CA)')
    .option('--tls-cert <FILE>', 'own certificate on TCP (PODWIRE_TLS_CERT)')
    .option('--tls-key <FILE>', 'its private key (PODWIRE_TLS_KEY)')
    .option('-o, --output <FORMAT>', 'table or json; get and pods have wide and yaml too');
}

/** The socket: option, environment, default. */
export function socketPath(command: Command, env: NodeJS.ProcessEnv = process.env): string {
  const given = command.optsWithGlobals<GlobalOptions>().socket;
  if (given === '') throw usage('--socket: the path is empty');
  return given ?? (env.PODWIRE_SOCKET || DEFAULT_SOCKET);
}

/** A flag counts for more than the environment; --socket and --server exclude each other. */
export function clientFor(command: Command, env: NodeJS.ProcessEnv = process.env): ApiClient {
  const flags = command.optsWithGlobals<GlobalOptions>();
  if (flags.socket !== undefined && flags.server !== undefined) {
    throw usage('--socket and --server contradict each other');
  }
  const server = flags.socket === undefined ? serverOf(flags, env) : undefined;
  return new ApiClient(server ?? socketPath(command, env));
}

/** For commands that talk to no daemon elsewhere. */
export function refuseServer(command: Command): void {
  if (command.optsWithGlobals<GlobalOptions>().server !== undefined) {
    throw usage(`--server: ${command.name()} runs on this machine`);
  }
}

/** The output format asked for, which must be one of `allowed`; the first of them is the default. */
export function outputFormat(command: Command, allowed: readonly OutputFormat[]): OutputFormat {
  const asked = command.optsWithGlobals<GlobalOptions>().output;
  if (asked === undefined) return allowed[0]!;
  const found = allowed.find((format) => format === asked);
  if (found === undefined) throw usage(`-o ${asked}: ${command.name()} prints ${allowed.join(', ')}`);
  return found;
}

/** For commands that print no result of their own: `-o` would be ignored, so it is refused. */
export function refuseOutputFormat(command: Command): void {
  if (command.optsWithGlobals<GlobalOptions>().output !== undefined) {
    throw usage(`-o: ${command.name()} has no output format`);
  }
}

export function print(text: string): void {
  process.stdout.write(text);
}

export function printJson(value: unknown): void {
  print(`${JSON.stringify(value, null, 2)}\n`);
}

export function printYaml(value: unknown): void {
  print(yaml().stringify(value));
}

/** What a listing prints: its rows as a table, or words where there are none, or the whole answer. */
export interface Listing<Row> {
  readonly answer: unknown;
  readonly rows: readonly Row[];
  readonly columns: readonly Column<Row>[];
  /** Said instead of a table without rows: `no drops`. */
  readonly none: string;
  /** A line below the table. */
  readonly footer?: string;
}

export function printListing<Row>(format: OutputFormat, listing: Listing<Row>): void {
  if (format === 'json') printJson(listing.answer);
  else if (format === 'yaml') printYaml(listing.answer);
  else print(listingText(listing, format === 'wide'));
}

function listingText<Row>({ rows, columns, none, footer }: Listing<Row>, wide: boolean): string {
  const text = rows.length === 0 ? `${none}\n` : renderTable(rows, columns, wide);
  return footer === undefined ? text : `${text}${footer}\n`;
}
