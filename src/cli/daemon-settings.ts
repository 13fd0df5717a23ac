/**
 * Where a daemon's settings come from: the command line, else the environment (PODWIRE_POD_CIDR for
 * --pod-cidr), else the configuration file (YAML, the same names: `pod-cidr: …`), else the default. This file
 * only merges; what the values mean is checked in src/control/options.ts.
 */
import { readFileSync } from 'node:fs';
import { yaml } from '../control/yaml.js';
import { CliError, ExitStatus, failure } from './errors.js';

export type Settings = Record<string, string | undefined>;

/** `pod-cidr` is PODWIRE_POD_CIDR. */
export function environmentName(flag: string): string {
  return `PODWIRE_${flag.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * Merges the settings named `names`. `config` names the file; without it PODWIRE_CONFIG does. An environment
 * variable that is empty counts as not set, as it does for most programs.
 */
export function mergeSettings(
  names: readonly string[],
  flags: Settings,
  env: NodeJS.ProcessEnv,
  config?: string,
): Settings {
  const path = config ?? (env.PODWIRE_CONFIG || undefined);
  const file = path === undefined ? {} : readConfigFile(path, names);
  const merged: Settings = {};
  for (const name of names)
    merged[name] = flags[name] ?? (env[environmentName(name)] || undefined) ?? file[name];
  return merged;
}

/** Reads a configuration file; throws CliError FILE_UNREADABLE, or INVALID with the name that is wrong. */
export function readConfigFile(path: string, names: readonly string[]): Settings {
  return parseConfig(readText(path), path, names);
}

export function parseConfig(text: string, path: string, names: readonly string[]): Settings {
  const content = parseYaml(text, path);
  if (content === null) return {};
  if (typeof content !== 'object' || Array.isArray(content)) {
    throw invalid(path, 'must be a mapping of flag names to values, as in `mtu: 1400`');
  }
  const settings: Settings = {};
  for (const [name, value] of Object.entries(content)) {
    if (!names.includes(name)) throw invalid(path, `${name}: there is no such setting; ${knownNames(names)}`);
    settings[name] = asText(value, name, path);
  }
  return settings;
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw failure('FILE_UNREADABLE', `${path}: ${(error as Error).message}`);
  }
}

function parseYaml(text: string, path: string): unknown {
  try {
    return yaml().parse(text);
  } catch (error) {
    if (!(error instanceof yaml().YAMLError)) throw error;
    throw invalid(path, error.message.split('\n')[0] ?? 'is not YAML');
  }
}

/** A scalar as it would stand on the command line; a list is joined by commas. */
function asText(value: unknown, name: string, path: string): string | undefined {
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map((item) => asText(item, name, path)).join(',');
  if (typeof value === 'object') throw invalid(path, `${name}: must be a text, a number or a list of them`);
  return String(value);
}

function knownNames(names: readonly string[]): string {
  return `the names are those of the flags: ${names.join(', ')}`;
}

function invalid(path: string, problem: string): CliError {
  return new CliError('INVALID', `${path}: ${problem}`, ExitStatus.USAGE);
}
