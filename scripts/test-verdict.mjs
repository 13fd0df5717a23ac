// What the runs of scripts/test.mjs come to. Items are those of test-reporter.mjs.
//
// The second chance: a file in which something failed is run once more, alone. What passes then is flaky: it counts as
// passed and is told by name with its first error. What fails twice has failed. What passed with the others and fails
// alone is flaky the other way round. An error outside of the tests has no second chance.
import { relative } from 'node:path';

const keyOf = ({ project, file, name }) => `${project}\0${file ?? ''}\0${name}`;

export const failedOf = (items) => items.filter(({ state }) => state === 'failed');

/** The files worth running again, each with its project. */
export function filesToRepeat(items) {
  const failed = failedOf(items).filter(({ file }) => file);
  return [...new Map(failed.map((item) => [`${item.project}\0${item.file}`, item])).values()];
}

function settle(first, second) {
  const now = second?.state ?? (first.whole ? 'passed' : first.state);
  if (first.state === now) return first;
  if (first.state === 'failed' && now === 'passed')
    return { ...first, state: 'passed', flaky: 'passed when run again alone' };
  if (first.state === 'passed' && now === 'failed')
    return { ...first, error: second.error, flaky: 'passed with the others, failed when run again alone' };
  return first.state === 'skipped' ? { ...second } : first;
}

/** The items of a run, with the second run of one file laid over them. Its new failures of hooks count. */
export function withSecondRun(items, { project, file }, repeated) {
  const second = new Map(repeated.map((item) => [keyOf(item), item]));
  const known = new Set(items.map(keyOf));
  const of = (item) => item.project === project && item.file === file;
  return [
    ...items.map((item) => (of(item) ? settle(item, second.get(keyOf(item))) : item)),
    ...repeated.filter((item) => item.whole && !known.has(keyOf(item))),
  ];
}

const placeOf = ({ project, file, run }) =>
  [project, file && relative('.', file), run && `(${run})`].filter(Boolean).join(' ');

function section(title, lines) {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)];
}

/** The end of the output, which is what is left where a log is cut off. */
export function summary(items) {
  const tests = items.filter(({ whole }) => !whole);
  const skipped = tests.filter(({ state }) => state === 'skipped');
  const flaky = items.filter((item) => item.flaky);
  const failed = failedOf(items);
  const count = (state) => tests.filter((test) => test.state === state).length;
  return [
    ...section('Skipped (the brackets say what is missing):', [...new Set(skipped.map(({ name }) => name))]),
    ...section(
      'Flaky, counted as passed:',
      flaky.flatMap((item) => [
        `flaky: ${item.name} (${item.flaky})`,
        `  in ${placeOf(item)}`,
        `  ${item.error}`,
      ]),
    ),
    ...section(
      'Failed:',
      failed.flatMap((item) => [`failed: ${item.name}`, `  in ${placeOf(item)}`, `  ${item.error}`]),
    ),
    '',
    `${count('passed')} passed, ${failed.length} failed, ${skipped.length} skipped`,
  ].join('\n');
}
