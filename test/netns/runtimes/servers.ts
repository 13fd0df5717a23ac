/** What containers of these tests run: busybox's HTTP server, and its clients. */
import { join } from 'node:path';

const FOLDER = '/www';
const MEBIBYTE = 1024 * 1024;

/** Serves its page, which says `text`, and a file `big` of so many MiB of noise. */
export function httpServer(text: string, mebibytes = 0): string[] {
  const big = join(FOLDER, 'big');
  const steps = [
    `echo '${text}' > ${FOLDER}/index.html`,
    ...(mebibytes > 0 ? [`dd if=/dev/urandom of=${big} bs=${MEBIBYTE} count=${mebibytes}`] : []),
    `exec httpd -f -p 80 -h ${FOLDER}`,
  ];
  return ['sh', '-c', steps.join(' && ')];
}

/**
 * Gets a page; waits for the server to begin, which neither runtime does. Debian's static busybox dies of `wget -T`.
 */
export function httpGet(address: string, path = ''): string[] {
  return ['sh', '-c', `${waitFor(address)}; timeout 20 wget -qO- http://${host(address)}/${path}`];
}

/** Prints the SHA-256 of a file that a server has. */
export function httpDigest(address: string, path: string): string[] {
  return [...httpGet(address, path).slice(0, -1), `${httpGet(address, path).at(-1)} | sha256sum`];
}

/** Prints the same of the file itself, in the server's container. */
export const BIG_DIGEST = ['sh', '-c', `sha256sum < ${FOLDER}/big`];

/** Two echo requests; busybox knows the family by the address. */
export function ping(address: string): string[] {
  return ['ping', '-c', '2', '-W', '5', address];
}

function waitFor(address: string): string {
  const tries = 'for i in $(seq 100)';
  return `${tries}; do timeout 5 wget -qO /dev/null http://${host(address)}/ 2>/dev/null && break; sleep 0.1; done`;
}

/** As URLs have it (RFC 3986 section 3.2.2). */
function host(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
