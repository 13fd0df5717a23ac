import { describe, expect, it } from 'vitest';
import { kindPath, namespaceName, resourceName, resourcePath } from '../../../../src/control/model/kinds.js';
import { message, refusal } from '../support.js';

describe('resourcePath', () => {
  it('says where a manifest belongs', () => {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web' } };
    expect(resourcePath(pod)).toEqual({
      path: '/v1/pods/default/web',
      kind: 'Pod',
      name: 'web',
      namespace: 'default',
    });
    expect(resourcePath({ ...pod, metadata: { name: 'web', namespace: 'shop' } }).path).toBe(
      '/v1/pods/shop/web',
    );
    const network = { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name: 'backend' } };
    expect(resourcePath(network)).toEqual({ path: '/v1/networks/backend', kind: 'Network', name: 'backend' });
  });

  it.each([
    [undefined, 'INVALID the document'],
    ['text', 'INVALID the document'],
    [{ apiVersion: 'v1', metadata: { name: 'x' } }, 'INVALID kind'],
    [{ kind: 'Pod', metadata: { name: 'x' } }, 'INVALID apiVersion'],
    [{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'x' } }, 'UNSUPPORTED kind'],
    [
      {
        apiVersion: 'policy.networking.k8s.io/v1alpha2',
        kind: 'AdminNetworkPolicy',
        metadata: { name: 'x' },
      },
      'INVALID apiVersion',
    ],
    [{ apiVersion: 'v1', kind: 'EndpointSlice', metadata: { name: 'x' } }, 'INVALID apiVersion'],
    [{ apiVersion: 'v1', kind: 'Network', metadata: { name: 'x' } }, 'INVALID apiVersion'],
    [{ apiVersion: 'v1', kind: 'Pod' }, 'INVALID metadata'],
    [{ apiVersion: 'v1', kind: 'Pod', metadata: {} }, 'INVALID metadata.name'],
    [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: '../x' } }, 'INVALID metadata.name'],
  ])('%j: %s', (document, expected) => {
    expect(refusal(() => resourcePath(document))).toBe(expected);
  });
});

describe('kindPath', () => {
  it.each(['impairment', 'impairments', 'imp', 'Impairment'])('knows %s', (word) => {
    expect(kindPath(word)).toBe('/v1/impairments');
  });

  it.each(['pod', 'pods', 'po', 'Pod'])('knows %s', (word) => {
    expect(kindPath(word)).toBe('/v1/pods');
  });
  it.each(['node', 'nodes', 'no', 'Node'])('knows %s', (word) => {
    expect(kindPath(word)).toBe('/v1/nodes');
  });
  it.each(['network', 'networks', 'net', 'Networks'])('knows %s', (word) => {
    expect(kindPath(word)).toBe('/v1/networks');
  });
  it.each([
    ['service', 'services'],
    ['svc', 'services'],
    ['EndpointSlice', 'endpointslices'],
    ['ns', 'namespaces'],
    ['Namespace', 'namespaces'],
    ['netpol', 'networkpolicies'],
    ['NetworkPolicy', 'networkpolicies'],
    ['anp', 'adminnetworkpolicies'],
    ['AdminNetworkPolicies', 'adminnetworkpolicies'],
    ['banp', 'baselineadminnetworkpolicies'],
    ['baselineadminnetworkpolicy', 'baselineadminnetworkpolicies'],
  ])('knows %s', (word, plural) => {
    expect(kindPath(word)).toBe(`/v1/${plural}`);
  });
  it('refuses other words', () => {
    expect(refusal(() => kindPath('deployment'))).toBe('INVALID kind');
  });
});

describe('names', () => {
  it.each(['a', 'web-1', 'k8s.example.com', '0', 'a'.repeat(63)])('accepts %s', (name) => {
    expect(resourceName(name)).toBe(name);
  });
  it.each(['', 'A', '-a', 'a-', 'a..b', 'a_b', 'ä', 'a'.repeat(64), 'a/b', `${'a.'.repeat(130)}a`])(
    'refuses %s',
    (name) => {
      expect(refusal(() => resourceName(name))).toBe('INVALID metadata.name');
    },
  );
  it('accepts no dots in namespaces', () => {
    expect(refusal(() => namespaceName('a.b'))).toBe('INVALID metadata.namespace');
    expect(message(() => namespaceName('A'))).toContain('"A" is not a namespace');
  });
});
