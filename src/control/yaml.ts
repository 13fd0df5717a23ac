/** The YAML library, loaded by the first who needs it: it would be a fifth of what `podwire status` costs, which reads none. */
import { createRequire } from 'node:module';

let loaded: typeof import('yaml') | undefined;

export function yaml(): typeof import('yaml') {
  loaded ??= createRequire(import.meta.url)('yaml') as typeof import('yaml');
  return loaded;
}
