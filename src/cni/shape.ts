/**
 * Reads values out of JSON that somebody else wrote. What has the wrong form is an error that names the key; null is as if
 * the key were not there, as in the reference library. No schema library: it would cost every start more than the rest.
 */
import { isIP } from 'node:net';
import { excerpt, invalidConfig } from './errors.js';

export type Json = Readonly<Record<string, unknown>>;

function isAbsent(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws CniError 7, as all of these. */
export function readObject(value: unknown, key: string): Json {
  if (isAbsent(value)) return {};
  if (isObject(value)) return value;
  throw invalidConfig(key, `${excerpt(value)} is not an object`);
}

export function readString(value: unknown, key: string): string | undefined {
  if (isAbsent(value)) return undefined;
  if (typeof value === 'string') return value;
  throw invalidConfig(key, `${excerpt(value)} is not a string`);
}

export function readList(value: unknown, key: string): readonly unknown[] {
  if (isAbsent(value)) return [];
  if (Array.isArray(value)) return value;
  throw invalidConfig(key, `${excerpt(value)} is not a list`);
}

export function readObjects(value: unknown, key: string): Json[] {
  return readList(value, key).map((item, index) => {
    if (isObject(item)) return item;
    throw invalidConfig(`${key}[${index}]`, `${excerpt(item)} is not an object`);
  });
}

/**
 * These keys of an object, however their capitals are: as Go reads JSON, which plugins are written in, so that nobody else notices that
 * containerd says `HostPort`. Of two that differ in nothing else the exact one counts.
 */
export function ofAnyCase<K extends string>(given: Json, keys: readonly K[]): Partial<Record<K, unknown>> {
  const entries = Object.entries(given);
  const find = (key: K) => entries.find(([name]) => name.toLowerCase() === key.toLowerCase())?.[1];
  return Object.fromEntries(keys.map((key) => [key, given[key] ?? find(key)])) as Partial<Record<K, unknown>>;
}

/** Strings that are not empty. */
export function readStrings(value: unknown, key: string): string[] {
  return readList(value, key).map((item, index) => {
    if (typeof item === 'string' && item !== '') return item;
    throw invalidConfig(`${key}[${index}]`, `${excerpt(item)} is not a string, or an empty one`);
  });
}

/** A whole number from 0; absent is 0. */
export function readCount(value: unknown, key: string): number {
  if (isAbsent(value)) return 0;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw invalidConfig(key, `${excerpt(value)} is not a whole number from 0`);
}

/** `10.1.2.3` or `10.1.2.3/24`: the address alone. */
export function readAddress(text: string, key: string): string {
  const [address, prefix, ...rest] = text.split('/');
  const longest = isIP(address) === 6 ? 128 : 32;
  const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= longest);
  if (isIP(address) !== 0 && !address.includes('%') && isPrefix && rest.length === 0) return address;
  throw invalidConfig(key, `'${text}' is not an address such as 10.1.2.3, 10.1.2.3/24 or fd00::3`);
}

/** Six octets, lower case, between colons. */
export function readMac(value: unknown, key: string): string | undefined {
  const text = readString(value, key);
  if (text === undefined || text === '') return undefined;
  if (/^[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$/i.test(text)) {
    return text.toLowerCase().replace(/-/g, ':');
  }
  throw invalidConfig(key, `'${text}' is not a MAC address such as 02:00:0a:f4:00:03`);
}
