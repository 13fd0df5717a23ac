/** What tests of limits and impairments ask a daemon. */
import type { Impairment, ImpairmentSpec, Limits, Pod } from '../../src/control/api/types.js';
import type { Answer, DaemonBench } from './daemon-support.js';

function manifest(name: string, spec: ImpairmentSpec): Impairment {
  return { apiVersion: 'podwire.dev/v1', kind: 'Impairment', metadata: { name }, spec };
}

export function impair(bench: DaemonBench, name: string, spec: ImpairmentSpec): Promise<Answer<Impairment>> {
  return bench.call('PUT', `/v1/impairments/${name}`, manifest(name, spec));
}

export async function limitsOf(bench: DaemonBench, name: string): Promise<Limits | undefined> {
  const { body } = await bench.call<Pod>('GET', `/v1/pods/default/${name}`);
  return body.status?.interfaces?.[0]?.limits;
}

export const [A, B] = [{ pod: 'default/a' }, { pod: 'default/b' }];
