import { expect, it } from 'vitest';
import { type NamedPod, namesOf, podsElsewhere, podsHere } from '../../../src/control/names.js';
import { readPodRecord } from '../../../src/control/records.js';

const web: NamedPod = { network: 'red', pod: 'default/web', ips: ['10.90.0.2', 'fd90::2'], aliases: ['www'] };

function told(pods: readonly NamedPod[], network?: string): string[] {
  return namesOf(pods, network).map(
    ({ network: of, name, pod, ips }) => `${of} ${name} ${pod} ${ips.join()}`,
  );
}

it('knows a pod by its name, with its namespace, and by its aliases', () => {
  expect(told([web])).toEqual([
    'red web default/web 10.90.0.2,fd90::2',
    'red web.default default/web 10.90.0.2,fd90::2',
    'red www default/web 10.90.0.2,fd90::2',
  ]);
});

it('lets pods share a name, and keeps networks apart', () => {
  const other: NamedPod = { network: 'red', pod: 'test/web', ips: ['10.90.0.3'], aliases: ['www'] };
  const blue: NamedPod = { network: 'blue', pod: 'default/web', ips: ['10.91.0.2'] };
  expect(told([other, blue, web], 'red')).toEqual([
    'red web default/web 10.90.0.2,fd90::2',
    'red web test/web 10.90.0.3',
    'red web.default default/web 10.90.0.2,fd90::2',
    'red web.test test/web 10.90.0.3',
    'red www default/web 10.90.0.2,fd90::2',
    'red www test/web 10.90.0.3',
  ]);
  expect(told([web, blue], 'blue')).toEqual([
    'blue web default/web 10.91.0.2',
    'blue web.default default/web 10.91.0.2',
  ]);
});

it('has one entry for a pod with two interfaces in a network, and none for one without an address', () => {
  const second: NamedPod = { network: 'red', pod: 'default/web', ips: ['10.90.0.9'] };
  expect(told([web, second]).filter((line) => line.includes(' web '))).toEqual([
    'red web default/web 10.90.0.2,fd90::2,10.90.0.9',
  ]);
  expect(told([{ network: 'none', pod: 'default/lonely', ips: [] }])).toEqual([]);
});

it('reads records of pods here, of the earlier form too, and members of an overlay elsewhere', () => {
  const attachment = { network: 'red', ips: ['10.90.0.2'], ifname: 'eth0', domain: 0 };
  const record = readPodRecord('default/old', { pod: {}, applied: false, attachment });
  expect(podsHere([['default/old', record]])).toEqual([
    { network: 'red', pod: 'default/old', ips: ['10.90.0.2'] },
  ]);
  const members = [
    { address: '10.90.0.7', pod: 'default/far/eth1', aliases: ['db'] },
    { address: 'fd90::7', pod: 'default/far/eth1', aliases: ['db'] },
  ];
  expect(told(podsElsewhere('red', members))).toContain('red db default/far 10.90.0.7,fd90::7');
});
