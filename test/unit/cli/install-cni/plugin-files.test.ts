import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { pluginFiles } from '../../../../src/cli/install-cni/plugin-files.js';

function packageOf(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'podwire-files-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

it('follows imports of every form, each file once', () => {
  const root = packageOf({
    'bin/podwire-cni': "const main = new URL('../dist/src/cni/main.js', import.meta.url);\n",
    'dist/src/cni/main.js':
      "import { get } from 'node:http';\nimport {\n  a,\n} from './a.js';\nexport const from = ['1.0.0'];\n",
    'dist/src/cni/a.js': "export { b } from '../control/b.js';\nimport './main.js';\n",
    'dist/src/control/b.js': "export const b = 'x';\n",
    'dist/src/control/unused.js': '',
  });
  expect(pluginFiles(root)).toEqual([
    'package.json',
    'bin/podwire-cni',
    'dist/src/cni/main.js',
    'dist/src/cni/a.js',
    'dist/src/control/b.js',
  ]);
});

it.each([["import x from 'commander';"], ["import 'commander';"], ["import {\n  x,\n} from 'commander';"]])(
  'refuses what a copy would not find: %j',
  (text) => {
    const root = packageOf({ 'bin/podwire-cni': "import '../dist/a.js';\n", 'dist/a.js': text });
    expect(() => pluginFiles(root)).toThrow('dist/a.js needs the package commander');
  },
);

it('says that the package is not built', () => {
  const root = packageOf({ 'bin/podwire-cni': "import '../dist/a.js';\n" });
  expect(() => pluginFiles(root)).toThrow('npm run build');
});
