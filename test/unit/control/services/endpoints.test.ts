import { describe, expect, it } from 'vitest';
import { endpointsOf, pickEndpoints } from '../../../../src/control/services/endpoints.js';
import type { EndpointSlice } from '../../../../src/control/services/types.js';
import { service, slice } from './samples.js';

const HERE = { node: 'n1', zone: 'a' };
const HTTP = { protocol: 'TCP' } as const;

/** ADDRESS[@node][!unready][~terminating][#zone hint][%node hint], as `1@n1~#a`. */
function endpoint(text: string): Record<string, unknown> {
  const [, last, node, flags, zones, nodes] =
    /^(\d+)(?:@(\w+))?([!~]*)(?:#([\w,]+))?(?:%([\w,]+))?$/.exec(text) ?? [];
  const named = (list?: string) => list?.split(',').map((name) => ({ name }));
  const terminating = flags.includes('~');
  return {
    addresses: [`10.244.0.${last}`],
    conditions: { ready: flags === '', serving: !flags.includes('!'), terminating },
    ...(node && { nodeName: node }),
    ...((zones || nodes) && { hints: { forZones: named(zones), forNodes: named(nodes) } }),
  };
}

function pick(
  texts: string[],
  spec: Record<string, unknown> = {},
  here: { node: string; zone?: string } = HERE,
) {
  return pickEndpoints(service(spec), endpointsOf(HTTP, 'IPv4', [slice(texts.map(endpoint))], here), here);
}

function active(texts: string[], spec = {}, here: { node: string; zone?: string } = HERE): string {
  return pick(texts, spec, here)
    .filter(({ cluster }) => cluster === 'active')
    .map(({ address }) => address.split('.')[3])
    .join(' ');
}

function activeHere(texts: string[]): string {
  return pick(texts, { internalTrafficPolicy: 'Local' })
    .filter(({ node }) => node === 'active')
    .map(({ address }) => address.split('.')[3])
    .join(' ');
}

describe('endpointsOf', () => {
  it('matches ports by name and protocol, with another number in each slice', () => {
    const slices = [
      slice(
        [endpoint('1')],
        [
          { name: 'http', port: 8080 },
          { name: 'dns', port: 53, protocol: 'UDP' },
        ],
      ),
      slice([endpoint('2')], [{ name: 'http', port: 9090 }], { name: 'web-2' }),
      slice([endpoint('3')], [{ name: 'http', port: 53, protocol: 'UDP' }], { name: 'web-3' }),
      slice([endpoint('4')], [{ name: 'http' }], { name: 'web-4' }),
      slice([{ addresses: ['fd00::1'] }], [{ name: 'http', port: 80 }], { name: 'web-5', family: 'IPv6' }),
    ];
    const ofPort = (name: string, protocol: 'TCP' | 'UDP', family: 'IPv4' | 'IPv6' = 'IPv4') =>
      endpointsOf({ name, protocol }, family, slices, HERE).map(({ address, port }) => `${address} ${port}`);
    expect(ofPort('http', 'TCP')).toEqual(['10.244.0.1 8080', '10.244.0.2 9090']);
    expect(ofPort('dns', 'UDP')).toEqual(['10.244.0.1 53']);
    expect(ofPort('http', 'UDP')).toEqual(['10.244.0.3 53']);
    expect(ofPort('http', 'TCP', 'IPv6')).toEqual(['fd00::1 80']);
    expect(ofPort('', 'TCP')).toEqual([]);
  });

  it('has an endpoint of several slices once, by the best word, whatever the order of slices', () => {
    const [ready, terminating, unready] = ['1@n1', '1~', '1!'].map((text, i) =>
      slice([endpoint(text)], undefined, { name: `web-${i}` }),
    );
    const read = (slices: EndpointSlice[]) => endpointsOf(HTTP, 'IPv4', slices, HERE);
    for (const slices of [
      [ready, terminating, unready],
      [unready, terminating, ready],
    ]) {
      expect(read(slices)).toMatchObject([{ ready: true, terminating: false, local: true }]);
    }
    expect(read([unready, terminating])).toMatchObject([{ serving: true, terminating: true }]);
  });

  it('takes the first of several addresses of an endpoint', () => {
    const both = slice([{ addresses: ['10.0.0.1', '10.0.0.2'] }]);
    expect(endpointsOf(HTTP, 'IPv4', [both], HERE).map(({ address }) => address)).toEqual(['10.0.0.1']);
  });
});

describe('pickEndpoints', () => {
  it.each([
    ['ready ones', ['1', '2!', '3~'], '1'],
    ['terminating ones that serve where none is ready', ['1!', '2~', '3!~'], '2'],
    ['none where none serves', ['1!', '2!~'], ''],
    ['an unready one that does not terminate never', ['1!'], ''],
    ['those hinted for the zone', ['1#a', '2#b', '3#a,b'], '1 3'],
    ['all where a ready one lacks a hint', ['1#a', '2'], '1 2'],
    ['those hinted where an unready one lacks a hint', ['1#a', '2!', '3#b'], '1'],
    ['all where none is for the zone', ['1#b', '2#c'], '1 2'],
    ['those hinted for the node before the zone', ['1#a%n2', '2#b%n1', '3#a%n1'], '2 3'],
    ['those of the zone where none is for the node', ['1#a%n2', '2#b%n3'], '1'],
    ['terminating ones without regard to hints', ['1~#b', '2!#a'], '1'],
    ['ready ones far away before terminating ones near', ['1~#a', '2#b'], '2'],
  ])('gives new flows to %s', (_, texts, expected) => {
    expect(active(texts)).toBe(expected);
  });

  it('ignores hints for zones on a node that has none', () => {
    expect(active(['1#a', '2#b'], {}, { node: 'n1' })).toBe('1 2');
  });

  it.each([
    ['ready ones of the node', ['1@n1', '2@n2', '3@n1!'], '1'],
    ['its terminating ones, though other nodes have ready ones', ['1@n1~', '2@n2'], '1'],
    ['none where the node has none', ['1@n2', '2'], ''],
    ['its own without regard to hints', ['1@n1#b', '2@n2#a'], '1'],
  ])('by policy Local gives new flows to %s', (_, texts, expected) => {
    expect(activeHere(texts)).toBe(expected);
  });

  it('keeps in the list what has flows, and says what may go on', () => {
    expect(pick(['1', '2~', '3!', '4!~']).map(({ cluster }) => cluster)).toEqual([
      'active',
      'draining',
      'unready',
      'unready',
    ]);
    expect(pick(['1#a', '2#b'])[1].cluster).toBe('draining');
  });

  it('says of policy Local only where a client of the service is under it', () => {
    const node = (spec: Record<string, unknown>) => pick(['1@n1', '2@n2'], spec).map(({ node }) => node);
    expect(node({})).toEqual([undefined, undefined]);
    expect(node({ internalTrafficPolicy: 'Local' })).toEqual(['active', undefined]);
    expect(node({ type: 'NodePort', externalTrafficPolicy: 'Local' })).toEqual(['active', undefined]);
  });
});
