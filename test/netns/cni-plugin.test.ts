/**
 * bin/podwire-cni as a runtime starts it, and a real daemon behind it.
 *
 *   ┌─ host ──────────┐
 *   │ podwire daemon  │◄── unix socket ── podwire-cni ◄── this test, in the part of a runtime
 *   └──┬───────────┬──┘
 *     eth0        eth0
 *   ┌─ one ─┐   ┌─ two ─┐     containers: namespaces
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressOf, CniBench } from './cni/cni-bench.js';
import { type CniResult, callPlugin } from './cni/runner.js';
import { missingForDaemon } from './daemon-support.js';

const missing = missingForDaemon();

describe.skipIf(missing)(`the CNI plugin [${missing ?? 'namespaces'}]`, () => {
  const bench = new CniBench();

  beforeAll(async () => {
    bench.namespace('host');
    await bench.start();
  });

  afterAll(() => bench.cleanup());

  it('connects containers that reach one another, and takes their interfaces away again', async () => {
    const [one, two] = ['one', 'two'].map((name) => bench.container(name));
    const results = [await bench.add(one), await bench.add(two)];
    for (const [index, result] of results.entries()) {
      const link = bench.link(['one', 'two'][index]);
      const [made] = result.interfaces;
      expect(made).toEqual({
        name: 'eth0',
        mac: link?.address,
        mtu: link?.mtu,
        sandbox: [one, two][index].netns,
      });
      const global = link?.addr_info.filter(({ scope }) => scope === 'global');
      expect(result.ips.map(({ address }) => address)).toEqual(
        global?.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
      );
      const routes =
        bench.ip(['one', 'two'][index], 'route') + bench.ip(['one', 'two'][index], '-6', 'route');
      for (const { gw } of result.routes) expect(routes).toContain(`default via ${gw}`);
    }
    expect(await bench.ping('one', addressOf(results[1]))).toBe(true);
    expect(await bench.ping('two', addressOf(results[0], 6))).toBe(true);

    for (const container of [one, two, one])
      expect(await bench.plugin('DEL', container)).toMatchObject({ status: 0, answer: undefined });
    expect([bench.link('one'), bench.link('two')]).toEqual([undefined, undefined]);
    expect(await bench.pods()).toEqual([]);
  });

  it.each(['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'])('speaks CNI %s', async (cniVersion) => {
    const short = `v${cniVersion}`;
    const container = bench.container(short);
    const result = await bench.add(container, { cniVersion });
    expect(result.cniVersion).toBe(cniVersion);
    expect(result.ips[0].version).toBe(cniVersion < '1' ? '4' : undefined);
    const checked = await bench.plugin('CHECK', container, { cniVersion, prevResult: result });
    if (cniVersion >= '0.4') expect(checked).toMatchObject({ status: 0, answer: undefined });
    else expect(checked).toMatchObject({ status: 1, answer: { cniVersion, code: 1 } });
    expect(
      await bench.plugin('DEL', container, { cniVersion, prevResult: { cniVersion: '0.2.0', ip4: {} } }),
    ).toMatchObject({ status: 0 });
    expect(bench.link(short)).toBeUndefined();
  });

  it('is one file that imports nothing but Node', () => {
    const bundle = new URL('../../dist/src/cni/bundle.js', import.meta.url);
    const imports = [
      ...readFileSync(bundle, 'utf8').matchAll(/(?:\bfrom|\bimport|\bimport\()\s*["']([^"']+)["']/g),
    ];
    expect(imports.length).toBeGreaterThan(1);
    expect(imports.map(([, from]) => from).filter((from) => !from.startsWith('node:'))).toEqual([]);
  });

  it('says its versions, with and without input', async () => {
    const expected = {
      status: 0,
      answer: { cniVersion: '1.1.0', supportedVersions: ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] },
    };
    for (const config of [{ cniVersion: '1.1.0' }, '']) {
      expect(await callPlugin('podwire-cni', { command: 'VERSION', config })).toMatchObject(expected);
    }
  });

  it('finds with CHECK what has changed behind its back', async () => {
    const container = bench.container('changed');
    const prevResult = await bench.add(container);
    const other: CniResult = { ...prevResult, ips: [{ address: '10.244.0.250/24', interface: 0 }] };
    expect(await bench.refused('CHECK', container, { prevResult: other })).toBe('102 CNI_CHECK_FAILED');
    bench.ip('changed', 'address', 'del', prevResult.ips[0].address, 'dev', 'eth0');
    expect(await bench.refused('CHECK', container, { prevResult })).toBe('102 CNI_CHECK_FAILED');
    await bench.plugin('DEL', container);
    expect(await bench.refused('CHECK', container, { prevResult })).toBe('3 NOT_FOUND');
  });

  it('answers the same to a second ADD of the same container, and refuses another namespace', async () => {
    const container = bench.container('twice');
    const result = await bench.add(container);
    expect(await bench.add(container)).toEqual(result);
    bench.namespace('elsewhere');
    expect(await bench.refused('ADD', { ...container, netns: bench.path('elsewhere') })).toMatch(/^101 /);
    expect(await bench.plugin('CHECK', container, { prevResult: result })).toMatchObject({ status: 0 });
    await bench.plugin('DEL', container);
  });

  it('refuses what cannot be, and leaves nothing', async () => {
    const container = bench.container('bad');
    const file = join(bench.directory, 'file');
    writeFileSync(file, '');
    expect(await bench.refused('ADD', { ...container, netns: '/run/netns/there-is-none' })).toBe(
      '3 NETNS_NOT_FOUND',
    );
    expect(await bench.refused('ADD', { ...container, netns: file })).toBe('4 NETNS_INVALID');
    expect(await bench.refused('ADD', container, { network: 'none-such' })).toBe('7 NOT_FOUND');
    expect(await bench.refused('STATUS', undefined, { network: 'none-such' })).toBe('50 NOT_FOUND');
    expect(await bench.refused('ADD', container, { runtimeConfig: { ips: ['192.0.2.1'] } })).toMatch(
      /^(7|101) /,
    );
    expect(await bench.refused('ADD', container, { runtimeConfig: { ips: ['10.244.0.1'] } })).toBe(
      '101 ADDRESS_IN_USE',
    );
    bench.ip('bad', 'link', 'add', 'eth0', 'type', 'bridge');
    expect(await bench.refused('ADD', container)).toBe('101 INTERFACE_EXISTS');
    expect(bench.links('bad').map(({ ifname }) => ifname)).toEqual(['lo', 'eth0']);
    expect(await bench.pods()).toEqual([]);
  });

  it('gives fixed addresses and a MAC address, and the pod the name that Kubernetes says', async () => {
    const args = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0;K8S_POD_UID=1;FOO=bar';
    const container = bench.container('fixed', { args });
    const runtimeConfig = { ips: ['10.244.0.77/24', 'fd00:10:244::77'], mac: '02:00:00:00:00:77' };
    const result = await bench.add(container, { runtimeConfig });
    expect(result.ips.map(({ address }) => address)).toEqual(['10.244.0.77/24', 'fd00:10:244::77/64']);
    expect([result.interfaces[0].mac, bench.link('fixed')?.address]).toEqual([
      runtimeConfig.mac,
      runtimeConfig.mac,
    ]);
    expect((await bench.pods()).map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([
      'shop/web-0',
    ]);
    await bench.plugin('DEL', container);
  });

  it('files containers without a pod under their identifiers, and gives the pod labels of the runtime', async () => {
    const ids = ['A_b', 'a-b', 'A-b', 'f'.repeat(64)];
    const containers = ids.map((id, index) => ({ ...bench.container(`id${index}`), id }));
    const args = { cni: { labels: [{ key: 'app', value: 'web' }] } };
    for (const container of containers) await bench.add(container, { args });
    const metas = (await bench.pods()).map(({ metadata }) => metadata);
    const names = metas.map(({ name }) => name).sort();
    expect(names).toEqual([
      expect.stringMatching(/^a-b$/),
      expect.stringMatching(/^a-b-[0-9a-f]{8}$/),
      expect.stringMatching(/^a-b-[0-9a-f]{8}$/),
      expect.stringMatching(/^f{54}-[0-9a-f]{8}$/),
    ]);
    expect(new Set(names).size).toBe(4);
    for (const { namespace, labels } of metas)
      expect({ namespace, labels }).toEqual({ namespace: 'cni', labels: { app: 'web' } });
    const bad = { args: { cni: { labels: [{ key: 'a b', value: '' }] } } };
    expect(await bench.refused('ADD', bench.container('bad-label'), bad)).toBe('7 INVALID');
    for (const container of containers) await bench.plugin('DEL', container);
    expect(await bench.pods()).toEqual([]);
  });

  it('says that a full network is to be tried again, and gives the address on when one is free', async () => {
    const spec = { mode: 'bridge', cidrs: ['10.81.0.0/30'], internal: true };
    const network = { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name: 'small' }, spec };
    expect((await bench.call('PUT', '/v1/networks/small', network)).status).toBe(201);
    const more = { network: 'small', name: 'small' };
    const containers = Array.from({ length: 4 }, (_, index) => bench.container(`small${index}`));
    const outcomes = [];
    for (const container of containers) outcomes.push(await bench.plugin('ADD', container, more));
    const full = outcomes.findIndex(({ status }) => status !== 0);
    expect(full).toBeGreaterThan(0);
    expect(outcomes[full].answer).toMatchObject({ code: 11, details: 'ADDRESS_EXHAUSTED' });
    expect(await bench.refused('STATUS', undefined, more)).toBe('50 ADDRESS_EXHAUSTED');
    expect(bench.link(`small${full}`)).toBeUndefined();
    await bench.plugin('DEL', containers[0], more);
    expect(await bench.plugin('STATUS', undefined, more)).toMatchObject({ status: 0 });
    await bench.add(containers[full], more);
    await bench.collect('small');
  });

  it('releases with GC exactly what is not listed of the configuration', async () => {
    const containers = ['kept', 'gone', 'other'].map((name) => bench.container(name));
    await bench.add(containers[0]);
    await bench.add(containers[1]);
    await bench.add(containers[2], { name: 'another' });
    const valid = [
      { containerID: containers[0].id, ifname: 'eth0' },
      { containerID: 'unknown', ifname: 'eth0' },
    ];
    expect(await bench.plugin('GC', undefined, { 'cni.dev/valid-attachments': valid })).toMatchObject({
      status: 0,
      answer: undefined,
    });
    expect(['kept', 'gone', 'other'].map((name) => bench.link(name) !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
    await bench.collect();
    await bench.collect('another');
    expect(await bench.pods()).toEqual([]);
  });
});
