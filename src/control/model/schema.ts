/**
 * JSON schemas checked with ajv, and its findings as errors that name the field: `spec.mode`, `ips[0]`.
 *
 * A schema is compiled at its first use, and ajv loaded at the first of all: there are a hundred of them, a few milliseconds
 * of processor time each, and a command line or a start of the daemon meets few.
 */
import { createRequire } from 'node:module';
import type { Ajv, ErrorObject, ValidateFunction } from 'ajv';
import { invalid, type PodwireError } from '../errors.js';

export type Schema = Readonly<Record<string, unknown>>;

let loaded: Ajv | undefined;

function ajv(): Ajv {
  loaded ??= load();
  return loaded;
}

function load(): Ajv {
  const { Ajv } = createRequire(import.meta.url)('ajv') as typeof import('ajv');
  const made = new Ajv({ strict: true, allowUnionTypes: true, verbose: true });
  // For people who read the OpenAPI document; no check of ours.
  return made.addKeyword('example');
}

/**
 * Makes a check that throws PodwireError INVALID for the first thing wrong, else returns the typed value.
 * @param root what to call the value itself.
 */
export function checker<T>(schema: Schema, root = 'body'): (value: unknown) => T {
  let validate: ValidateFunction<T> | undefined;
  return (value) => {
    validate ??= ajv().compile<T>(schema);
    if (validate(value)) return value;
    throw explain(validate.errors?.[0], root);
  };
}

/**
 * The same for a text that has to match its schema's pattern and nothing else. What does is let through without ajv, whose
 * loading costs a command as much as all the rest of it; ajv says what is wrong with the others.
 */
export function textChecker(
  schema: Schema & { readonly pattern: string },
  root: string,
): (value: unknown) => string {
  const pattern = new RegExp(schema.pattern, 'u');
  const explained = checker<string>(schema, root);
  return (value) => (typeof value === 'string' && pattern.test(value) ? value : explained(value));
}

/** An object that has these properties and no others. */
export function closed(properties: Record<string, Schema>, required: readonly string[] = []): Schema {
  return { type: 'object', properties, required, additionalProperties: false };
}

/** An object of which others own the rest. */
export function open(properties: Record<string, Schema>, required: readonly string[] = []): Schema {
  return { type: 'object', properties, required };
}

function explain(error: ErrorObject | undefined, root: string): PodwireError {
  if (!error) return invalid(root, 'does not fit its schema');
  const { keyword, params } = error;
  const path = fieldPath(error.instancePath);
  const at = path || root;
  switch (keyword) {
    case 'additionalProperties':
      return invalid(join(path, params.additionalProperty), 'unknown field');
    case 'required':
      return invalid(join(path, params.missingProperty), 'is missing');
    case 'const':
      return invalid(at, `must be ${JSON.stringify(params.allowedValue)}`);
    case 'enum':
      return invalid(at, `must be one of ${params.allowedValues.join(', ')}`);
    case 'propertyNames':
      return invalid(join(path, params.propertyName), 'is not a possible key');
    case 'pattern': {
      const expected = error.parentSchema?.description ?? 'of the right form';
      return invalid(at, `${JSON.stringify(error.data)} is not ${expected}`);
    }
    default:
      return invalid(at, error.message ?? 'is wrong');
  }
}

function join(at: string, name: string): string {
  if (!/^[A-Za-z_][\w-]*$/.test(name)) return `${at}["${name}"]`;
  return at ? `${at}.${name}` : name;
}

/** '/spec/containers/0/ports' to 'spec.containers[0].ports'. */
function fieldPath(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : join(path, part)), '');
}
