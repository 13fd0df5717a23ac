/**
 * Asks an executable which versions of CNI it speaks, as a runtime does (CNI 1.1, section 2, VERSION). For podwire's own
 * plugin it is the proof that it starts here; for a plugin behind it, what the chain can speak.
 */
import { spawnSync } from 'node:child_process';
import { failure } from '../errors.js';
import { BASE_VERSION } from './conflist.js';

/** A start takes some 60 ms; a machine may be very busy. */
const DEADLINE_MS = 30_000;
/** What a service has: a runtime's PATH may be without the folder of node. */
const SERVICE_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** @throws CliError INSTALL_FAILED where it does not answer, or does not speak BASE_VERSION */
export function supportedVersions(executable: string): readonly string[] {
  const run = spawnSync(executable, [], {
    input: JSON.stringify({ cniVersion: BASE_VERSION }),
    env: { CNI_COMMAND: 'VERSION', PATH: SERVICE_PATH },
    encoding: 'utf8',
    timeout: DEADLINE_MS,
  });
  const versions = versionsIn(run.stdout ?? '');
  if (run.status === 0 && versions.includes(BASE_VERSION)) return versions;
  const words = run.error?.message ?? `${run.stderr}${run.stdout}`.trim().replace(/\s+/g, ' ').slice(0, 400);
  throw failure(
    'INSTALL_FAILED',
    `${executable} does not answer CNI's VERSION with ${BASE_VERSION} (exit status ${run.status ?? run.signal}): ${words}; nothing was changed for the runtime`,
  );
}

function versionsIn(text: string): string[] {
  try {
    const { supportedVersions: versions } = JSON.parse(text) as { supportedVersions?: unknown };
    return Array.isArray(versions) ? versions.map(String) : [];
  } catch {
    return [];
  }
}
