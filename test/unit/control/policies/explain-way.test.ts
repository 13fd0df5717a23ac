/** Who is meant by what was written, and which way goes between two of them, by a snapshot that was compiled of a plan. */
import { describe, expect, it } from 'vitest';
import { type End, endsOf } from '../../../../src/control/policies/explain-ends.js';
import { wayOf } from '../../../../src/control/policies/explain-way.js';
import { message, refusal } from '../support.js';
import { WORLD } from './explain-fixture.js';

function end(text: string): End {
  const named = endsOf(text, 'from', 'shop', WORLD);
  if (named.kind === 'service') throw new Error(text);
  return named.ends[0];
}

/** `KIND: TEXT` */
function way(from: string, to: string): string {
  const { kind, text } = wayOf(end(from), end(to), WORLD);
  return `${kind}: ${text}`;
}

describe('ends', () => {
  it('are pods by name, with or without namespace, node and kind', () => {
    expect(end('web')).toMatchObject({ kind: 'pod', address: '10.244.0.11', node: 'k1', port: 11 });
    for (const text of ['shop/web', 'pod/web', 'pod/shop/web', 'shop/web@k1', 'web@k1']) {
      expect(end(text)).toEqual(end('web'));
    }
    expect(end('far@k4')).toMatchObject({ kind: 'pod', address: '10.244.4.7', node: 'k4' });
    expect(end('blue@k4')).toMatchObject({ network: 'blue', address: '10.70.0.9' });
  });

  it('are whoever has an address', () => {
    expect(end('fd00:0::11')).toMatchObject({ kind: 'pod', address: 'fd00::11', port: 11 });
    expect(end('10.70.0.9').pod).toMatchObject({ name: 'blue', node: 'k4' });
    expect(end('10.80.0.14').pod).toMatchObject({ name: 'back2', node: 'k1' });
    expect(end('192.0.2.4')).toEqual({ kind: 'node', address: '192.0.2.4', node: 'k4' });
    expect(end('10.80.0.1')).toEqual({
      kind: 'gateway',
      address: '10.80.0.1',
      node: 'k1',
      network: 'backend',
    });
    expect(end('10.244.4.99')).toEqual({ kind: 'cluster', address: '10.244.4.99', node: 'k4' });
    expect(end('10.80.0.99')).toEqual({ kind: 'cluster', address: '10.80.0.99', network: 'backend' });
    expect(end('10.244.9.9')).toEqual({ kind: 'cluster', address: '10.244.9.9' });
    expect(end('198.51.100.7')).toEqual({ kind: 'outside', address: '198.51.100.7' });
  });

  it('are nodes, and pods that use the interfaces of theirs', () => {
    expect(end('node/k4')).toEqual({ kind: 'node', address: '10.244.4.2', node: 'k4' });
    expect(end('kube/proxy')).toMatchObject({ kind: 'node', node: 'k1', hostPod: 'kube/proxy' });
  });

  it('are refused where it is not clear who is meant, or nobody is', () => {
    const ask = (text: string) => () => endsOf(text, 'to', 'shop', WORLD);
    expect(message(ask('blue'))).toBe(
      'to: several nodes have a pod shop/blue: say shop/blue@k1 or shop/blue@k4',
    );
    expect(message(ask('nobody'))).toBe('to: there is no pod or service shop/nobody that is known here');
    expect(message(ask('svc/nobody'))).toBe('to: there is no service shop/nobody that is known here');
    expect(message(ask('web@k9'))).toBe('to: there is no pod shop/web on node k9 that is known here');
    expect(refusal(ask('node/k9'))).toBe('NOT_FOUND to');
    for (const text of ['a/b/c', 'web@', '@k1', 'node/a/b', 'shop/', 'a@b@c', '10.1.2', '1:2']) {
      expect(refusal(ask(text)), text).toMatch(/^(INVALID|NOT_FOUND) to$/);
    }
  });
});

describe('ways', () => {
  it('between pods of this node', () => {
    expect(way('web', 'web')).toBe('self: the pod itself');
    expect(way('web', 'db')).toBe('bridged: bridged in network default');
    expect(way('left', 'right')).toBe('direct: straight to the other end of the direct network');
    expect(way('left', 'web')).toBe('unreachable: a direct network leads to its other end alone');
    expect(way('web', 'back')).toBe('unreachable: networks default and backend are kept apart');
    expect(way('back', 'web')).toBe('unreachable: networks backend and default are kept apart');
    expect(way('shut', 'web')).toBe(
      'unreachable: network closed has no router: only its own pods are reachable',
    );
    expect(way('back', '10.80.0.99')).toBe('unreachable: nobody in network backend has 10.80.0.99');
    expect(way('web', 'fd00::12')).toBe('unreachable: addresses of different families');
  });

  it('to the switch and the node', () => {
    expect(way('web', '10.244.0.1')).toBe('gateway: the gateway of network default');
    expect(way('web', '10.244.0.2')).toBe('node: to the node itself, through podwire0');
    expect(way('back', '192.0.2.1')).toBe('node: to the node itself, through podwire0');
    expect(way('node/k1', 'back')).toBe('routed: routed within network backend');
    expect(way('node/k1', 'web')).toBe('bridged: bridged in network default');
    expect(way('kube/proxy', 'web')).toBe('bridged: bridged in network default');
  });

  it('to and from pods of other nodes', () => {
    expect(wayOf(end('web'), end('far'), WORLD)).toEqual({
      kind: 'tunnel',
      text: 'routed, through the tunnel to node k4',
      peer: { name: 'k4', address: '192.0.2.4', state: 'up', rttMicros: 210 },
    });
    expect(way('far', 'web')).toBe('tunnel: routed, through the tunnel from node k4');
    expect(way('blue@k1', 'blue@k4')).toBe('tunnel: bridged in network blue, through the tunnel to node k4');
    expect(way('blue@k4', 'blue@k1')).toBe(
      'tunnel: bridged in network blue, through the tunnel from node k4',
    );
    expect(way('web', '192.0.2.4')).toBe('tunnel: routed, through the tunnel to node k4');
    expect(way('web', 'lost')).toBe(
      'unreachable: node k5 is down: its probe through the tunnel is not answered',
    );
    expect(way('far', 'back')).toBe('unreachable: networks default and backend are kept apart');
    expect(way('back', 'far')).toBe('unreachable: networks backend and default are kept apart');
    expect(way('web', '10.244.9.9')).toBe('unreachable: no node that is known has 10.244.9.9');
    expect(way('far', 'lost')).toBe('elsewhere: between other nodes, not through k1; node k4 knows the way');
  });

  it('to the outside and from there', () => {
    expect(way('web', '198.51.100.7')).toBe('out: out through the node: podwire0, then as the host routes');
    expect(way('198.51.100.7', 'web')).toBe('out: from outside, through the node: podwire0');
    expect(way('198.51.100.7', 'shut')).toBe(
      'unreachable: network closed is not routed: nothing comes in from outside',
    );
    expect(way('node/k1', '198.51.100.7')).toBe('out: as the host routes: not by podwire');
  });
});
