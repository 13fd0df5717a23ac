/** What containers of these tests run: busybox's HTTP server, and its clients. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const FOLDER = '/www';
/** A page of every server: the client's address, as the server sees it. */
export const CLIENT_PAGE = 'cgi-bin/client';
const run = promisify(execFile);
const MEBIBYTE = 1024 * 1024;

/** Serves its page, which says `text`, CLIENT_PAGE, and a file `big` of so many MiB of noise. */
export function httpServer(text: string, mebibytes = 0): string[] {
  const big = join(FOLDER, 'big');
  const steps = [
    `echo '${text}' > ${FOLDER}/index.html`,
    `mkdir -p ${FOLDER}/cgi-bin`,
    `printf '#!/bin/sh\\necho\\necho $REMOTE_ADDR\\n' > ${FOLDER}/${CLIENT_PAGE}`,
    `chmod +x ${FOLDER}/${CLIENT_PAGE}`,
    ...(mebibytes > 0 ? [`dd if=/dev/urandom of=${big} bs=${MEBIBYTE} count=${mebibytes}`] : []),
    `exec httpd -f -p 80 -h ${FOLDER}`,
  ];
  return ['sh', '-c', steps.join(' && ')];
}

/**
 * Gets a page; waits for the server to begin, which neither runtime does. Debian's static busybox dies of `wget -T`.
 */
export function httpGet(address: string): string[] {
  return ['sh', '-c', `${waitFor(address)}; timeout 20 wget -qO- http://${host(address)}/`];
}

/**
 * Gets a page of a server behind a published port, from a namespace of the host's kind, where there is curl. Waits for the server to
 * begin: until then connections are refused.
 */
export async function curl(netns: string, url: string): Promise<string> {
  const wait = ['--retry', '20', '--retry-connrefused', '--retry-delay', '1'];
  const words = ['curl', '--silent', '--show-error', '--globoff', '--max-time', '20', ...wait, url];
  return (await run('nsenter', [`--net=${netns}`, ...words])).stdout.trim();
}

/** The client's address, as the server sees it; without what a socket of both families puts before IPv4. */
export async function clientSeen(netns: string, server: string): Promise<string> {
  return (await curl(netns, `http://${server}/${CLIENT_PAGE}`)).replace(/^\[?(::ffff:)?([^\]]*)\]?$/, '$2');
}

/** Prints the SHA-256 of the file `big` that a server has. */
export function bigDigest(address: string): string[] {
  return ['sh', '-c', `${waitFor(address)}; timeout 30 wget -qO- http://${host(address)}/big | sha256sum`];
}

/** Prints the same of the file itself, in the server's container. */
export const BIG_FILE_DIGEST = ['sh', '-c', `sha256sum < ${FOLDER}/big`];

/** All of these, one after the other, until one fails: each call of a runtime costs more than what it runs. */
export function all(...commands: readonly string[][][]): string[] {
  return ['sh', '-c', commands.flat().map(quoted).join(' && ')];
}

/** What so many pings print that lost nothing, and then a page, as often. */
export function reached(pings: number, page = ''): RegExp {
  const lines = page === '' ? '' : `(${page}\\s*){${pings}}`;
  return new RegExp(`^([^%]* 0% packet loss[^%]*){${pings}}${lines}$`);
}

/** Two echo requests; busybox knows the family by the address. */
export function ping(address: string): string[] {
  return ['ping', '-c', '2', '-W', '5', address];
}

function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}

function waitFor(address: string): string {
  const tries = 'for i in $(seq 100)';
  return `${tries}; do timeout 5 wget -qO /dev/null http://${host(address)}/ 2>/dev/null && break; sleep 0.1; done`;
}

/** As URLs have it (RFC 3986 section 3.2.2). */
function host(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
