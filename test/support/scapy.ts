/** Where scapy is: the judge of packets that we build. */
import { spawnSync } from 'node:child_process';

/** Debian's package serves its own Python only, which may not be the first in the path. */
const CANDIDATES = ['python3', '/usr/bin/python3'];

/** A Python that can import scapy, or undefined. */
export function pythonWithScapy(): string | undefined {
  return CANDIDATES.find(
    (python) => spawnSync(python, ['-c', 'import scapy'], { stdio: 'ignore' }).status === 0,
  );
}
