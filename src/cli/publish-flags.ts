/**
 * Published ports in docker's words (docker run --publish): `8080:80`, `127.0.0.1:8080:80`, `[fd00::5]:53:53/udp`, `:80` or
 * `80` for a host port that is chosen, and ranges of one length, `8000-8010:80-90`. What addresses and ports there are the
 * daemon knows; it gets one entry for each port.
 */
import { isIP } from 'node:net';
import type { PortChoice, PublishWish } from '../control/api/publish-types.js';
import { PROTOCOLS } from '../control/services/types.js';
import { type CliError, usage } from './errors.js';

const FORM = /^(?:(?:(?<ip>\[[^\]]*\]|[^:[\]]*):)?(?<host>[\d-]*):)?(?<port>[\d-]+)(?:\/(?<protocol>\w+))?$/;

/** @param name of the option or argument. @throws CliError USAGE */
export function parsePublish(text: string, name = '--publish'): PublishWish[] {
  const groups = FORM.exec(text)?.groups;
  if (!groups) throw wrong(name, text, 'must be [ADDR:][HOSTPORT]:PORT[/tcp|/udp|/sctp], as 8080:80');
  const { ip: given = '', host = '', port, protocol = 'tcp' } = groups;
  const ip = given.replace(/^\[|\]$/g, '');
  if (given !== '' && isIP(ip) === 0) throw wrong(name, text, `'${ip}' is not an address`);
  const [ports, hosts] = [rangeOf(name, text, port), host === '' ? [] : rangeOf(name, text, host)];
  if (hosts.length > 0 && hosts.length !== ports.length) {
    throw wrong(name, text, `${hosts.length} host ports cannot be ${ports.length} ports of the pod`);
  }
  return ports.map((containerPort, index) => ({
    containerPort,
    ...(hosts.length > 0 && { hostPort: hosts[index] }),
    ...(ip !== '' && { hostIP: ip }),
    protocol: protocolOf(name, text, protocol),
  }));
}

/** As for publishing; a single number is the host port. @throws CliError USAGE */
export function parseUnpublish(text: string): PortChoice[] {
  const name = 'PORT';
  const alone = /^([\d-]+)(?:\/(\w+))?$/.exec(text);
  if (!alone) return parsePublish(text, name);
  const [, range, protocol] = alone;
  return rangeOf(name, text, range).map((hostPort) => ({
    hostPort,
    ...(protocol !== undefined && { protocol: protocolOf(name, text, protocol) }),
  }));
}

function rangeOf(name: string, text: string, range: string): number[] {
  const found = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range);
  const [first, last] = [Number(found?.[1] ?? 0), Number(found?.[2] ?? found?.[1] ?? 0)];
  if (first < 1 || last > 65_535 || last < first) {
    throw wrong(name, text, `${range} is not a port or a range of ports from 1 to 65535`);
  }
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function protocolOf(name: string, text: string, word: string): (typeof PROTOCOLS)[number] {
  const found = PROTOCOLS.find((protocol) => protocol === word.toUpperCase());
  if (found) return found;
  throw wrong(name, text, `${word} is not tcp, udp or sctp`);
}

function wrong(name: string, text: string, why: string): CliError {
  return usage(`${name} ${text}: ${why}`);
}
