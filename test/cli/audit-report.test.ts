import assert from 'node:assert/strict';
import { CommandFailed, UsageError } from '../../src/cli/client.ts';
import { createProgram } from '../../src/cli/program.ts';
import { type BuiltLog, buildLog } from '../audit/built-log.ts';

describe('dockgate audit export and report', () => {
  let built: BuiltLog;

  const run = async (
    ...args: readonly string[]
  ): Promise<{ readonly out: string; readonly notes: string }> => {
    const [lines, notes]: [string[], string[]] = [[], []];
    const output = { line: (text: string) => lines.push(text), note: (text: string) => notes.push(text) };
    const program = createProgram('0', { env: {}, output, readInput: async () => '' });
    await program.parseAsync(['audit', ...args, '--log', built.directory], { from: 'user' });
    return { out: lines.map((line) => `${line}\n`).join(''), notes: notes.join('\n') };
  };

  before(async () => {
    built = await buildLog();
    await built.growTo(300, (index) =>
      index % 3 === 0 ? { outcome: 'refused', reason: 'grant.missing' } : {},
    );
  });
  after(() => built.end());

  it('prints the records that the options choose and says how many there were', async () => {
    const { out, notes } = await run('export', '--outcome', 'refused');
    assert.equal(out.trimEnd().split('\n').length, 100);
    assert.match(notes, /exported 100 of 300 records/);
    assert.match((await run('export', '--since', '2200-01-01T00:00:00Z')).notes, /exported 0 of 300/);
    assert.equal((await run('export', '--format', 'csv')).out.split('\r\n').length, 302);
  });

  it('prints a report as a table, as CSV and as JSON', async () => {
    const { out, notes } = await run('report', 'refusals');
    assert.match(
      out,
      /^REASON +RULES +ACTION +REPOSITORY +COUNT +FIRST +LAST\ngrant\.missing +- +pull +team\/app +100 /,
    );
    assert.match(notes, /300 of 300 records looked at/);
    assert.match(
      (await run('report', 'refusals', '--csv')).out,
      /^"reason",.*\r\n"grant\.missing","","pull","team\/app","100",/,
    );
    const [row] = JSON.parse((await run('report', 'refusals', '--json')).out);
    assert.deepEqual([row.reason, row.count], ['grant.missing', 100]);
  });

  it('exports flat columns, the same in each line and each of one type, with proofs where asked', async () => {
    const { out } = await run('export', '--format', 'ndjson', '--proofs');
    const rows = out
      .trimEnd()
      .split('\n')
      .map((line): Record<string, unknown> => JSON.parse(line));
    assert.equal(rows.length, 300);
    for (const row of rows) {
      assert.deepEqual(Object.keys(row), Object.keys(rows[0] ?? {}));
      assert.ok(Object.values(row).every((value) => typeof value !== 'object' || value === null));
      assert.match(String(row.proof), /^c2sp\.org\/tlog-proof@v1\n/);
    }
    assert.deepEqual([rows[0]?.index, rows[0]?.status, rows[0]?.reason], [0, 200, 'grant.missing']);
    assert.equal(rows[1]?.reason, null);
  });

  it('prints a report as a page, and strange sign-ins', async () => {
    assert.match(
      (await run('report', 'days', '--html')).out,
      /^<!doctype html>[\s\S]*<svg [\s\S]*<\/html>\n$/,
    );
    const strange = await run('report', 'sign-ins');
    assert.match(strange.out, /^RULE +PRINCIPAL +ADDRESS +WHY +COUNT/);
    assert.match(strange.notes, /nothing of that kind was recorded/);
  });

  it('has a heading for its readers, without options of the command', async () => {
    for (const name of ['repositories', 'principals', 'days'])
      assert.doesNotMatch((await run('report', name, '--html')).out, /<h1>[^<]*--/);
  });

  it('says who pulled a digest', async () => {
    const [{ record } = { record: { digest: '' } }] = (await run('export')).out
      .split('\n', 1)
      .map((line) => JSON.parse(line));
    const digest = record.digest ?? `sha256:${'0'.repeat(64)}`;
    assert.match((await run('report', 'exposed', '--digest', digest)).out, /^PRINCIPAL +REPOSITORY +DIGEST/);
    await assert.rejects(run('report', 'exposed'), UsageError);
    await assert.rejects(run('report', 'exposed', '--finding', 'CVE-1'), UsageError);
  });

  it('refuses a format, a time and a report that do not exist', async () => {
    await assert.rejects(run('export', '--format', 'xml'), UsageError);
    await assert.rejects(run('export', '--format', 'csv', '--proofs'), UsageError);
    await assert.rejects(run('export', '--since', 'yesterday'), UsageError);
    await assert.rejects(run('report', 'everything'), UsageError);
  });

  it('fails, after it printed what there is, when entries of the log are no records', async () => {
    await built.growTo(301, () => 'no record');
    await assert.rejects(
      run('export'),
      (error) => error instanceof CommandFailed && /1 entries/.test(error.message),
    );
    await assert.rejects(run('report', 'days'), CommandFailed);
  });
});
