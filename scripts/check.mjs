// Types, lint, format and the import rule. Runs no tests. Exit 1 where one of them fails.
import { spawnSync } from 'node:child_process';

const steps = [
  ['types', 'node_modules/typescript/bin/tsc', ['-p', 'tsconfig.json', '--noEmit', '--incremental', 'false']],
  ['lint, format, imports', 'node_modules/@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.']],
];
let failed = 0;
for (const [name, program, args] of steps) {
  const run = spawnSync(process.execPath, [program, ...args], { stdio: 'inherit' });
  console.log(`${run.status === 0 ? 'ok    ' : 'FAILED'} ${name}`);
  if (run.status !== 0) failed++;
}
process.exit(failed ? 1 : 0);
