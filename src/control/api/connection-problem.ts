/** What a failed connection to an API means, and what to do about it: for the command line and for nodes that join. */

export interface ConnectionProblem {
  /** Whose: nobody answers; or TLS on either side does not like the other. */
  readonly kind: 'unreachable' | 'tls';
  /** `what is wrong; what to do`. */
  readonly text: string;
}

const UNTRUSTED = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'INVALID_CA',
  'CERT_UNTRUSTED',
]);

/** @param url of the API, or the path of its unix socket. */
export function connectionProblem(error: NodeJS.ErrnoException, url: string): ConnectionProblem {
  const { code = '', message } = error;
  const tls = (text: string): ConnectionProblem => ({ kind: 'tls', text });
  if (UNTRUSTED.has(code))
    return tls(`the certificate of ${url} is of no CA known here; give its CA with --tls-ca`);
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return tls(`the certificate of ${url} has expired; it needs a new one (or this clock is wrong)`);
    case 'CERT_NOT_YET_VALID':
      return tls(`the certificate of ${url} is not valid yet; one of the clocks is wrong`);
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return tls(`the certificate of ${url} is for another name; use a name or address that it has`);
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      if (/wrong.version.number|packet.length/i.test(message)) {
        return tls(`${url} does not speak TLS; use http://, or start it with --tls-cert and --tls-key`);
      }
  }
  if (code.startsWith('ERR_SSL_')) return tls(clientRefused(code, url));
  return { kind: 'unreachable', text: unreachable(code, message, url) };
}

/** Alert certificate_required of RFC 8446 section 6.2, and whatever else TLS may end with. */
function clientRefused(code: string, url: string): string {
  if (code.includes('CERTIFICATE_REQUIRED')) {
    return `${url} wants a client certificate; give one with --tls-cert and --tls-key`;
  }
  return `TLS with ${url} failed: ${code}`;
}

function unreachable(code: string, message: string, url: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return `nobody listens at ${url}; start the daemon there with --listen, or correct the address`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `the name in ${url} is not known; correct it, or use an address`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `there is no way to ${url}; look at the routes of this machine`;
    case 'ECONNRESET':
    case 'EPIPE':
      return `${url} closed the connection; ${whyClosed(url)}`;
    default:
      return `cannot talk to ${url}: ${message}`;
  }
}

/** What a server of Node's does with a client certificate that it does not accept: it sends no alert, but closes. */
function whyClosed(url: string): string {
  return url.startsWith('https:')
    ? 'where it wants client certificates, that of --tls-cert has expired or is of another CA; its log says why'
    : 'if it speaks TLS, use https://, else its log says why';
}
