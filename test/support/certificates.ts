/** Certificates for tests, made by openssl in a directory: a CA, and what it signs, also what is over. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsFiles } from '../../src/control/listen-options.js';

const CONFIG = `[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copy
rand_serial = yes
unique_subject = no
[any]
commonName = supplied
`;

/** Why there can be none here, or undefined. */
export function missingForCertificates(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'the program openssl';
  }
}

export class CertificateMaker {
  readonly ca: string;
  private readonly directory: string;
  private made = 0;

  /** @param name tells CAs in one directory apart. */
  constructor(parent: string, name = 'ca') {
    this.directory = join(parent, name);
    mkdirSync(this.directory);
    writeFileSync(join(this.directory, 'openssl.cnf'), CONFIG);
    appendFileSync(join(this.directory, 'index.txt'), '');
    this.ca = join(this.directory, 'ca.pem');
    this.openssl(
      ...[
        'req',
        '-x509',
        ...newKey('ca.key'),
        '-out',
        'ca.pem',
        '-days',
        '3650',
        '-subj',
        `/CN=podwire ${name}`,
      ],
      ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
    );
  }

  /** A certificate for 127.0.0.1 and localhost, or for `names`. @param years from now, begin and end. */
  issue(
    years: readonly [number, number] = [-1, 1],
    names = 'IP:127.0.0.1,DNS:localhost',
  ): Required<TlsFiles> {
    const name = `c${this.made++}`;
    this.openssl(
      ...['req', ...newKey(`${name}.key`), '-out', `${name}.csr`, '-subj', `/CN=${name}`],
      ...['-addext', `subjectAltName=${names}`],
    );
    this.openssl(
      ...['ca', '-batch', '-notext', '-config', 'openssl.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key'],
      ...[
        '-in',
        `${name}.csr`,
        '-out',
        `${name}.pem`,
        '-startdate',
        dateIn(years[0]),
        '-enddate',
        dateIn(years[1]),
      ],
    );
    const path = (suffix: string) => join(this.directory, `${name}${suffix}`);
    return { cert: path('.pem'), key: path('.key'), ca: this.ca };
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.directory, stdio: ['ignore', 'ignore', 'pipe'] });
  }
}

function newKey(path: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', path];
}

/** As openssl wants it: 20300102030405Z. */
function dateIn(years: number): string {
  const date = new Date(Date.now() + years * 365 * 86_400_000);
  return `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
}
