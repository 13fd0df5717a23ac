// A reporter of vitest for scripts/test.mjs: writes what came of every test, and of every file and suite whose
// hooks or imports failed, to the file named by PODWIRE_TEST_RECORD. An item: { project, file, name, state, error }; a
// file's or suite's own failure is an item too (with `whole`), as is an error that belongs to none (no `file`).
import { writeFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

const STATES = { passed: 'passed', failed: 'failed', skipped: 'skipped', pending: 'skipped' };

/** The first line of an error: enough to tell one failure from another in a log that was cut off. */
function firstLine(errors) {
  const [error] = errors ?? [];
  if (!error) return 'no error was told';
  const text = `${error.name ?? 'Error'}: ${error.message ?? ''}`;
  return stripVTControlCharacters(text).split('\n')[0].trim();
}

const inFile = (module) => ({ project: module.project.name ?? '', file: module.moduleId });

function testItem(module, test) {
  const { state, errors } = test.result();
  return {
    ...inFile(module),
    name: test.fullName,
    state: STATES[state],
    error: state === 'failed' ? firstLine(errors) : '',
  };
}

/** What failed of a file or suite itself: an import, or a hook that runs once. */
function wholeItems(module) {
  const units = [module, ...module.children.allSuites()].filter((unit) => unit.errors().length > 0);
  return units.map((unit) => ({
    ...inFile(module),
    name: `${unit.fullName ?? ''} (the ${unit.type === 'module' ? 'file' : 'suite'} itself)`.trim(),
    state: 'failed',
    whole: true,
    error: firstLine(unit.errors()),
  }));
}

/** An error outside of every test, as of a worker that died. It is no test's failure, and no second run clears it. */
const strayItem = (error) => ({
  project: '',
  name: `outside of the tests${error.VITEST_TEST_PATH ? `, in ${error.VITEST_TEST_PATH}` : ''}`,
  state: 'failed',
  whole: true,
  error: firstLine([error]),
});

export default class RecordReporter {
  onTestRunEnd(modules, unhandled) {
    const items = modules.flatMap((module) => [
      ...[...module.children.allTests()].map((test) => testItem(module, test)),
      ...wholeItems(module),
    ]);
    writeFileSync(
      process.env.PODWIRE_TEST_RECORD,
      JSON.stringify([...items, ...unhandled.map((error) => strayItem(error))]),
    );
  }
}
