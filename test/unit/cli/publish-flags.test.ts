/** Published ports as docker's users write them (docs.docker.com, docker container run, --publish). */
import { describe, expect, it } from 'vitest';
import { parsePublish, parseUnpublish } from '../../../src/cli/publish-flags.js';

const tcp = { protocol: 'TCP' };

describe('--publish', () => {
  it.each([
    ['8080:80', [{ hostPort: 8080, containerPort: 80, ...tcp }]],
    ['127.0.0.1:8080:80/udp', [{ hostIP: '127.0.0.1', hostPort: 8080, containerPort: 80, protocol: 'UDP' }]],
    ['[2001:db8::1]:53:53', [{ hostIP: '2001:db8::1', hostPort: 53, containerPort: 53, ...tcp }]],
    ['[::]:53:53/SCTP', [{ hostIP: '::', hostPort: 53, containerPort: 53, protocol: 'SCTP' }]],
    ['80', [{ containerPort: 80, ...tcp }]],
    [':80', [{ containerPort: 80, ...tcp }]],
    ['127.0.0.1::80', [{ hostIP: '127.0.0.1', containerPort: 80, ...tcp }]],
    [
      '8000-8001:90-91',
      [
        { hostPort: 8000, containerPort: 90, ...tcp },
        { hostPort: 8001, containerPort: 91, ...tcp },
      ],
    ],
  ])('%s', (text, expected) => {
    expect(parsePublish(text)).toEqual(expected);
  });

  it.each([
    '',
    '8080:',
    '0:80',
    '65536:80',
    '8080:80/icmp',
    '9-8:1-2',
    '8000-8002:80',
    '::1:80:80',
    'a:b',
    '1:2:3:4',
  ])('is not %s', (text) => {
    expect(() => parsePublish(text)).toThrow(/^--publish .*: /);
  });
});

it('unpublish takes a host port alone, or the words of publish', () => {
  expect(parseUnpublish('8080')).toEqual([{ hostPort: 8080 }]);
  expect(parseUnpublish('53/udp')).toEqual([{ hostPort: 53, protocol: 'UDP' }]);
  expect(parseUnpublish('80-81')).toEqual([{ hostPort: 80 }, { hostPort: 81 }]);
  expect(parseUnpublish('127.0.0.1:80:8080')).toEqual([
    { hostIP: '127.0.0.1', hostPort: 80, containerPort: 8080, protocol: 'TCP' },
  ]);
});
