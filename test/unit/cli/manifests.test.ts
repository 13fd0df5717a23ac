import { describe, expect, it } from 'vitest';
import { parseManifests, readManifests } from '../../../src/cli/manifests.js';

describe('parseManifests', () => {
  it('reads YAML with several documents, empty ones left out', () => {
    const text = '---\nkind: Network\n---\n# only a comment\n---\nkind: Pod\nspec: {a: [1, 2]}\n...\n';
    expect(parseManifests(text, 'f')).toEqual([{ kind: 'Network' }, { kind: 'Pod', spec: { a: [1, 2] } }]);
  });

  it('reads JSON', () => {
    expect(parseManifests('{"kind": "Pod", "metadata": {"name": "web"}}', 'f')).toEqual([
      { kind: 'Pod', metadata: { name: 'web' } },
    ]);
  });

  it('takes Lists apart, also within each other, in order', () => {
    const text = JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [{ kind: 'Network' }, { kind: 'List', items: [{ kind: 'Pod' }] }],
    });
    expect(parseManifests(text, 'f')).toEqual([{ kind: 'Network' }, { kind: 'Pod' }]);
  });

  it('takes lists of one kind apart, as `get -o yaml` prints them', () => {
    const text = 'kind: PodList\nrevision: 7\nitems: [{kind: Pod}, {kind: Pod}]\n---\nkind: AllowList\n';
    expect(parseManifests(text, 'f')).toEqual([{ kind: 'Pod' }, { kind: 'Pod' }, { kind: 'AllowList' }]);
  });

  it.each([
    ['', 'f: holds no document'],
    ['---\n---\n', 'f: holds no document'],
    ['kind: A\n---\njust text', 'f, document 2: must be an object'],
    ['[1]', 'f, document 1: must be an object'],
    ['kind: List\nitems: 5', 'f, document 1: items: a List needs an array'],
    ['kind: List\nitems: [{kind: A}, 7]', 'f, document 1, items[1]: must be an object'],
    ['a: [1', 'f, document 1: '],
  ])('refuses %j', (text, message) => {
    expect(() => parseManifests(text, 'f')).toThrow(
      expect.objectContaining({ code: 'INVALID', message: expect.stringContaining(message) }),
    );
  });

  it('refuses aliases that blow a small file up', () => {
    const levels = Array.from({ length: 12 }, (_, n) => `l${n + 1}: &l${n + 1} [${`*l${n},`.repeat(9)}]`);
    const text = `l0: &l0 x\n${levels.join('\n')}\n`;
    expect(() => parseManifests(text, 'f')).toThrow(expect.objectContaining({ code: 'INVALID' }));
  });
});

it('says which file cannot be read', async () => {
  await expect(readManifests('/nonexistent/pod.yaml')).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
    message: expect.stringContaining('/nonexistent/pod.yaml'),
  });
});
