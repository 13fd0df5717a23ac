/**
 * A dozen pods over three namespaces and two nodes, of whom the recipes of policy are told:
 *
 *   k1   default  web1  app=web                            k2   default  web2  app=web
 *        default  api   app=bookstore role=api                  default  db    app=bookstore role=db
 *        default  srch  app=bookstore role=search               default  mon   role=monitoring
 *        default  foo   app=foo                                 default  inv   app=inventory role=web
 *        prod     papi  app=bookstore role=api                  prod     pweb  app=web
 *        ops      omon  type=monitoring role=monitoring         ops      ofoo  app=foo
 *
 * Beside them the nodes, k1 and k2, and ext, a host outside that has routes to the pods (services-support.ts has the picture). Sweb
 * (web1, web2) and Sapi (api) are services, whose ports are others than those of their pods. Namespace prod is labelled
 * purpose=production, ops team=operations.
 */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { ProbeKind } from '../support/netns-prober.js';
import { type Cell, LETTERS, type Letter, Matrix } from './policy-matrix.js';
import { type Labels, type Manifest, namespaceOf, type PodPlan } from './policy-support.js';

export const PODS: Record<string, PodPlan> = {
  web1: { node: 'k1', labels: { app: 'web' } },
  web2: { node: 'k2', labels: { app: 'web' } },
  api: { node: 'k1', labels: { app: 'bookstore', role: 'api' } },
  db: { node: 'k2', labels: { app: 'bookstore', role: 'db' } },
  srch: { node: 'k1', labels: { app: 'bookstore', role: 'search' } },
  mon: { node: 'k2', labels: { role: 'monitoring' } },
  foo: { node: 'k1', labels: { app: 'foo' } },
  inv: { node: 'k2', labels: { app: 'inventory', role: 'web' } },
  pweb: { node: 'k2', namespace: 'prod', labels: { app: 'web' } },
  papi: { node: 'k1', namespace: 'prod', labels: { app: 'bookstore', role: 'api' } },
  omon: { node: 'k1', namespace: 'ops', labels: { type: 'monitoring', role: 'monitoring' } },
  ofoo: { node: 'k2', namespace: 'ops', labels: { app: 'foo' } },
};

export const NAMESPACES: Manifest[] = [
  namespaceOf('default', {}),
  namespaceOf('prod', { purpose: 'production' }),
  namespaceOf('ops', { team: 'operations' }),
];

export const SERVICES: Record<string, { name: string; selector: Labels }> = {
  Sweb: { name: 'web', selector: { app: 'web' } },
  Sapi: { name: 'api', selector: { app: 'bookstore', role: 'api' } },
};

const HOSTS = ['ext', 'k1', 'k2'];
export const ROWS = [...Object.keys(PODS), ...HOSTS];
export const COLUMNS = [...ROWS, ...Object.keys(SERVICES)];

/** A connection of a pod to itself through a service is its node's, which is another answer than that of the other pod. */
const NOT_ASKED = new Set(['web1 Sweb', 'web2 Sweb', 'ext Sweb', 'ext Sapi', 'k1 Sweb', 'k2 Sweb']);

export const PORTS: Record<Letter, { kind: ProbeKind; port: number; servicePort: number }> = {
  a: { kind: 'tcp', port: 8080, servicePort: 80 },
  b: { kind: 'tcp', port: 5000, servicePort: 50 },
  u: { kind: 'udp', port: 5000, servicePort: 50 },
  p: { kind: 'ping', port: 0, servicePort: 0 },
};

/** A service is its ports: it answers no ping. */
export function asked(column: string): readonly Letter[] {
  return column in SERVICES ? LETTERS.filter((letter) => letter !== 'p') : LETTERS;
}

export function isAsked(row: string, column: string): boolean {
  if (row === column || NOT_ASKED.has(`${row} ${column}`)) return false;
  return !(HOSTS.includes(row) && HOSTS.includes(column));
}

/** Everything open. */
export function open(): Matrix {
  return filled((column) => new Set(asked(column)));
}

export function filled(cell: (column: string) => Cell): Matrix {
  const matrix = new Matrix(ROWS, COLUMNS, asked);
  for (const row of ROWS) {
    for (const column of COLUMNS) if (isAsked(row, column)) matrix.set(row, column, cell(column));
  }
  return matrix;
}

/** A recipe: what it is, its manifests, and the matrix that they make. */
export function readRecipe(file: URL): { title: string; manifests: Manifest[]; matrix: Matrix } {
  const text = readFileSync(file, 'utf8');
  const documents = parseAllDocuments(text).map((document) => document.toJS() as object);
  const last = documents.pop() as { matrix: string };
  return {
    title: text.slice(2, text.indexOf('\n')),
    manifests: documents as Manifest[],
    matrix: Matrix.parse(last.matrix, asked),
  };
}
