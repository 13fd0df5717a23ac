/**
 * Certificate, key and CA from PEM files, checked before they are used, so that what is wrong is found at start
 * and named with its file, not in the first handshake.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { PodwireError } from '../errors.js';
import type { TlsFiles } from '../listen-options.js';

/** As node:tls takes them. */
export interface Credentials {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string[];
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** @param now in milliseconds of Unix time. @throws PodwireError TLS_FAILED */
export function loadCredentials({ cert, key, ca }: TlsFiles, now = Date.now()): Credentials {
  return {
    ...(cert !== undefined && key !== undefined && loadPair(cert, key, now)),
    ...(ca !== undefined && { ca: loadCa(ca, now) }),
  };
}

/** Every file of it. */
export function credentialPaths({ cert, key, ca }: TlsFiles): string[] {
  return [cert, key, ca].filter((path) => path !== undefined);
}

function loadPair(certPath: string, keyPath: string, now: number): { cert: string; key: string } {
  const cert = read(certPath);
  const key = read(keyPath);
  const [own] = certificates(certPath, cert);
  const problem = outOfDate(own, now);
  if (problem) throw failed(certPath, `the certificate ${problem}`);
  if (!own.checkPrivateKey(privateKey(keyPath, key))) {
    throw failed(keyPath, `is not the key of the certificate in ${certPath}`);
  }
  return { cert, key };
}

/** A bundle may hold some that are over, but not only such. */
function loadCa(path: string, now: number): string[] {
  const found = certificates(path, read(path));
  const problems = found.map((certificate) => outOfDate(certificate, now));
  if (problems.every((problem) => problem !== undefined)) throw failed(path, `the CA ${problems[0]}`);
  return found.map(String);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw failed(path, error instanceof Error ? error.message : String(error));
  }
}

function certificates(path: string, text: string): [X509Certificate, ...X509Certificate[]] {
  const blocks = text.match(PEM_CERTIFICATE) ?? [];
  try {
    const [first, ...others] = blocks.map((block) => new X509Certificate(block));
    if (first) return [first, ...others];
  } catch (error) {
    throw failed(path, `a certificate in it cannot be read: ${String(error)}`);
  }
  throw failed(path, 'has no certificate in PEM form');
}

function privateKey(path: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (error) {
    throw failed(path, `has no private key without passphrase in PEM form: ${String(error)}`);
  }
}

function outOfDate({ validFrom, validTo }: X509Certificate, now: number): string | undefined {
  if (now > Date.parse(validTo)) return `has expired on ${validTo}`;
  if (now < Date.parse(validFrom)) return `is not valid before ${validFrom}`;
  return undefined;
}

function failed(path: string, why: string): PodwireError {
  return new PodwireError('TLS_FAILED', `${path}: ${why}`);
}
