import { describe, expect, it } from 'vitest';
import { parseDaemonOptions } from '../../../src/control/options.js';
import { refusal } from './support.js';

const NAME = { name: 'n1' };
const TOKEN = { 'token-file': '/t' };
const CERT = { 'tls-cert': '/c', 'tls-key': '/k' };
const CA = { 'tls-ca': '/ca' };
const UNDERLAY = { underlay: '192.168.77.1' };

describe('--listen, --token-file, --tls-*, --join', () => {
  it.each([
    [
      { listen: '10.0.0.1:7443', ...TOKEN },
      { listen: { host: '10.0.0.1', port: 7443 }, tokenFile: '/t' },
    ],
    [
      { listen: '[fd00::1]:1', ...CERT, ...CA },
      { listen: { host: 'fd00::1', port: 1 }, tls: { cert: '/c', key: '/k', ca: '/ca' } },
    ],
    [{ listen: 'k1.lan:65535', ...CERT, ...TOKEN }, { listen: { host: 'k1.lan', port: 65535 } }],
    [
      { join: 'https://k1:7443', ...CA, ...TOKEN, ...UNDERLAY },
      { join: 'https://k1:7443', tls: { ca: '/ca' } },
    ],
    [{ join: 'HTTPS://K1:7443/', ...CERT, ...UNDERLAY }, { join: 'https://k1:7443' }],
    [{ join: 'http://[fd00::1]:7000', ...TOKEN, ...UNDERLAY }, { join: 'http://[fd00::1]:7000' }],
    // A shell that has PODWIRE_TOKEN_FILE for clients may start a daemon, too.
    [TOKEN, { tokenFile: '/t' }],
  ])('%j', (values, expected) => {
    expect(parseDaemonOptions({ ...NAME, ...values })).toMatchObject(expected);
  });

  it.each([
    [{ listen: '127.0.0.1:7000' }, 'INVALID --listen'],
    [{ listen: '127.0.0.1:7000', ...CERT }, 'INVALID --listen'],
    [{ listen: '127.0.0.1:7000', ...CA }, 'INVALID --tls-ca'],
    [{ listen: '127.0.0.1:7000', ...CA, ...TOKEN }, 'INVALID --tls-ca'],
    [{ listen: ':7000', ...TOKEN }, 'INVALID --listen'],
    [{ listen: '7000', ...TOKEN }, 'INVALID --listen'],
    [{ listen: '10.0.0.1:0', ...TOKEN }, 'INVALID --listen'],
    [{ listen: '10.0.0.1:65536', ...TOKEN }, 'INVALID --listen'],
    [{ listen: 'fd00::1:7000', ...TOKEN }, 'INVALID --listen'],
    [{ listen: '[k1]:7000', ...TOKEN }, 'INVALID --listen'],
    [{ listen: 'a b:7000', ...TOKEN }, 'INVALID --listen'],
    [{ 'tls-cert': '/c' }, 'INVALID --tls-key'],
    [{ 'tls-key': '/k' }, 'INVALID --tls-cert'],
    [{ 'token-file': '' }, 'INVALID --token-file'],
    [{ join: 'k1:7000', ...TOKEN }, 'INVALID --join'],
    [{ join: 'ftp://k1', ...TOKEN }, 'INVALID --join'],
    [{ join: 'http://u:p@k1', ...TOKEN }, 'INVALID --join'],
    [{ join: 'http://k1/v1', ...TOKEN }, 'INVALID --join'],
    [{ join: 'http://k1' }, 'INVALID --join'],
    [{ join: 'http://k1', ...CERT }, 'INVALID --join'],
    [{ join: 'https://k1' }, 'INVALID --join'],
  ])('%j: %s', (values, expected) => {
    expect(refusal(() => parseDaemonOptions({ ...NAME, ...values }))).toBe(expected);
  });

  it('says what to add', () => {
    expect(() => parseDaemonOptions({ ...NAME, listen: '127.0.0.1:7000' })).toThrow(
      /add --token-file, or --tls-cert, --tls-key and --tls-ca/,
    );
  });
});
