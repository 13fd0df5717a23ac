/**
 * The bearer token (RFC 6750) in a file: white space around it does not count, and a changed file is read again, so
 * that a token can be replaced without a restart. A file that has become unreadable or empty leaves the last token
 * in force.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { invalid } from '../errors.js';
import type { Logger } from '../logger.js';
import { FileSignature } from './file-signature.js';

/** What may stand in an Authorization header: b64token of RFC 6750 section 2.1, and other visible characters. */
const TOKEN = /^[\x21-\x7e]+$/;
/** For group and others. */
const READABLE_BY_OTHERS = 0o044;

export class TokenFile {
  private readonly signature: FileSignature;
  private token: string;

  private constructor(
    private readonly path: string,
    private readonly log: Logger | undefined,
  ) {
    this.signature = new FileSignature([path]);
    this.token = readToken(path);
    this.warnIfReadable();
  }

  /** @param log for warnings; none without it. @throws PodwireError INVALID, naming the file */
  static open(path: string, log?: Logger): TokenFile {
    return new TokenFile(path, log);
  }

  /** The token in force. */
  get current(): string {
    if (this.signature.hasChanged()) this.reload();
    return this.token;
  }

  /** @param header the value of `Authorization`. @returns what is wrong with it, undefined where nothing is */
  refuses(header: string): string | undefined {
    const given = /^bearer +(\S+) *$/i.exec(header)?.[1];
    if (given === undefined) return 'no bearer token was given: send the one in the daemon’s --token-file';
    // Digests are of one length, and how they differ says nothing about the token.
    if (timingSafeEqual(digest(given), digest(this.current))) return undefined;
    return 'the bearer token is wrong: send the one in the daemon’s --token-file';
  }

  private reload(): void {
    try {
      this.token = readToken(this.path);
      this.log?.info({ file: this.path }, 'token read again');
      this.warnIfReadable();
    } catch (error) {
      this.log?.warn({ error: String(error) }, 'token not read again: the last one stays in force');
    }
  }

  private warnIfReadable(): void {
    const mode = statSync(this.path, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & READABLE_BY_OTHERS) === 0) return;
    this.log?.warn({ file: this.path }, 'other users may read the token: chmod 600');
  }
}

function readToken(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw invalid(
      '--token-file',
      `cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  if (token === '') throw invalid('--token-file', `${path} is empty: it must hold the token`);
  if (!TOKEN.test(token))
    throw invalid('--token-file', `${path} holds more than one word of ASCII characters`);
  return token;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
