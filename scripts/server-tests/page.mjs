// Makes docs/server-conformance.md of what record_results.py wrote down.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { differenceOf } from './differences.mjs';
import { foreignText, reasonFor } from './not-applicable.mjs';

const longestReason = 220;

function readEntries(path) {
  return readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** One line that Markdown keeps in its cell. */
function cell(text) {
  const line = text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|').trim();
  return line.length > longestReason ? `${line.slice(0, longestReason)} …` : line;
}

function describeFailure({ test, statement, kind, message }) {
  const difference = differenceOf(test, `${statement ?? ''}\n${message}`);
  if (difference !== undefined) return difference;
  const first = message.split('\n', 1)[0];
  const code = statement === null ? '' : `\`${cell(statement.split('\n', 1)[0]).replaceAll('`', "'")}\`: `;
  return cell(`${code}${kind === 'AssertionError' ? '' : `${kind}: `}${first}`);
}

function judge(test, entries) {
  const failed = entries.find(({ outcome }) => outcome === 'failed');
  const last = failed ?? entries.find(({ phase }) => phase === 'call') ?? entries.at(-1);
  if (last === undefined) return { outcome: 'failed', reason: 'did not run: its file took too long' };
  if (last.notSupported !== null && last.outcome !== 'passed') {
    return { outcome: 'not applicable', reason: cell(`not supported: ${last.notSupported}`) };
  }
  if (last.outcome === 'skipped')
    return { outcome: 'not applicable', reason: cell(skipReason(last.message)) };
  if (last.outcome === 'passed') {
    return last.foreignTexts.length > 0
      ? { outcome: 'not applicable', reason: foreignText }
      : { outcome: 'passed', reason: '' };
  }
  const reason = reasonFor(test, last.statement);
  return reason === undefined
    ? { outcome: 'failed', reason: describeFailure(last) }
    : { outcome: 'not applicable', reason };
}

function skipReason(message) {
  return `skipped: ${message.replace(/^Skipped: /, '')}`;
}

/** The verdict on each test of a file; undefined if it was never run. */
function readVerdicts(path) {
  if (!existsSync(path)) return undefined;
  const byTest = new Map();
  for (const entry of readEntries(path)) {
    const entries = byTest.get(entry.test) ?? [];
    if (entry.phase !== 'collected') entries.push(entry);
    byTest.set(entry.test, entries);
  }
  return [...byTest].map(([test, entries]) => ({
    test: test.slice(test.indexOf('::') + 2),
    ...judge(test, entries),
  }));
}

const outcomes = ['passed', 'failed', 'not applicable'];

function countsOf(verdicts) {
  return outcomes.map((wanted) => verdicts.filter(({ outcome }) => outcome === wanted).length);
}

/** Cases of a test with the same verdict as one row. */
function rowsOf(verdicts) {
  const rows = new Map();
  for (const { test, outcome, reason } of verdicts) {
    const name = test.replace(/\[.*$/s, '');
    const key = JSON.stringify([name, outcome, reason]);
    const row = rows.get(key) ?? { name, outcome, reason, cases: 0 };
    row.cases++;
    rows.set(key, row);
  }
  return [...rows.values()];
}

function fileSection(name, verdicts) {
  const [passed, failed, foreign] = countsOf(verdicts);
  const rows = rowsOf(verdicts).map(
    (row) => `| ${row.name.replaceAll('_', '\\_')} | ${row.cases} | ${row.outcome} | ${row.reason} |`,
  );
  return [
    `## ${name}`,
    '',
    `${passed} passed, ${failed} failed, ${foreign} not applicable.`,
    '',
    '| Test | Cases | Verdict | Why |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

const introduction = `# The server under llama.cpp's own tests

llama.cpp has tests of its server in Python (\`tools/server/tests\`). \`npm run test:server-vendored\` runs them, as they are in the vendored tree, against the server of this package: \`scripts/server-tests/llama-server.mjs\` takes the flags of llama-server and starts ours. This page is written by that command.

- **Models.** The tests were written for models of 260 thousand parameters and the like, which are downloaded. Here SmolLM2-135M-Instruct stands for those that generate, and all-MiniLM-L6-v2 (out of a package of PyPI, converted by \`convert\`) for those that encode. A test whose assertion is about a text or a count of tokens of the original model is **not applicable**; where it asserts on a text, the rest of it is run and has to hold.
- **Not applicable** is also what a flag asks for that this server does not have: the reason says which. Tests that are marked as slow download models of gigabytes and are not run.
- **Names.** llama-server with one model answers to any name of a model; ours answers 404 to a name it does not know. The names that the tests use are given to it as aliases.
- **Defaults.** llama-server takes defaults of requests as flags (\`--temp\`, \`--seed\`, \`--n-predict\`); ours has them in requests alone, and these flags have no effect.
- \`--ctx-size\` is the whole cache, which all sequences share, as with llama-server's \`--kv-unified\`.
`;

/** Writes the page; returns a line with the counts. */
export function writePage({ results, names, output }) {
  const files = names
    .map((name) => ({ name, verdicts: readVerdicts(join(results, `${name}.jsonl`)) }))
    .filter(({ verdicts }) => verdicts !== undefined);
  const [passed, failed, foreign] = countsOf(files.flatMap(({ verdicts }) => verdicts));
  const total = `${passed} passed, ${failed} failed, ${foreign} not applicable`;
  const table = files.map(({ name, verdicts }) => `| ${name} | ${countsOf(verdicts).join(' | ')} |`);
  const page = [
    introduction,
    `Of ${passed + failed + foreign} tests ${total}.`,
    '',
    '| File | Passed | Failed | Not applicable |',
    '| --- | --- | --- | --- |',
    ...table,
    '',
    ...files.map(({ name, verdicts }) => fileSection(name, verdicts)),
  ].join('\n');
  writeFileSync(output, `${page.trimEnd()}\n`);
  return total;
}
