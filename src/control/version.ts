/** The version in package.json, found from the sources as well as from dist/. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function packageFile(directory: string): string {
  const path = join(directory, 'package.json');
  return existsSync(path) ? path : packageFile(dirname(directory));
}

const { version } = JSON.parse(
  readFileSync(packageFile(dirname(fileURLToPath(import.meta.url))), 'utf8'),
) as { version: string };

export const VERSION: string = version;
