import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Report, reportHtml } from '../../src/audit/index.ts';

const HOSTILE = `</td><script>document.title='owned'</script><img src=x onerror="document.title='owned'">&"'\u202e\0\r\n=1+1`;
const page = { title: `Report ${HOSTILE}`, question: HOSTILE, madeAt: '2026-11-24', footer: HOSTILE };

function report(rows: number): Report {
  return {
    name: 'principals',
    columns: ['principal', 'reason'],
    rows: Array.from({ length: rows }, (_, at) => ({
      values: [`${HOSTILE}${at}`, 'policy.secrets'],
      count: rows - at,
      first: '2026-11-24T00:00:00.000000Z',
      last: '2026-11-24T00:00:00.000000Z',
    })),
    isCut: false,
  };
}

describe('a report as a page', () => {
  it('has no tag, no script and no address that is not its own, whatever callers put in (A-03)', () => {
    const html = reportHtml(report(3), page);
    assert.match(html, /^[\n -~]+$/);
    const tags = new Set([...html.matchAll(/<\/?([a-z0-9!]+)/gi)].map(([, tag]) => tag?.toLowerCase()));
    for (const tag of ['script', 'img', 'link', 'iframe', 'a', 'object', 'base', 'form']) {
      assert.equal(tags.has(tag), false, tag);
    }
    assert.doesNotMatch(html, /<[^>]+ (?:src|href|on\w+)=/i);
    assert.match(html, /default-src 'none'; style-src 'unsafe-inline'/);
  });

  it('is one table with a row for each group, and a chart of twenty at most', () => {
    const html = reportHtml(report(30), page);
    assert.equal(html.match(/<tr>/g)?.length, 31);
    assert.equal(html.match(/<rect /g)?.length, 20);
    assert.match(reportHtml(report(0), page), /Nothing of that kind/);
  });

  it('reads in a browser as the text that it was, and runs nothing of it', async function () {
    this.timeout(120_000);
    const folder = await mkdtemp(join(tmpdir(), 'dockgate-html-'));
    const file = join(folder, 'page.html');
    await writeFile(file, reportHtml(report(2), page));
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${folder}`, '--dump-dom'];
    try {
      const { stdout } = await promisify(execFile)('chromium', [...flags, `file://${file}`]);
      assert.doesNotMatch(stdout, /<title>owned/);
      assert.equal(stdout.match(/<script/g), null);
      assert.equal(stdout.match(/<td>&lt;\/td&gt;&lt;script&gt;/g)?.length, 2);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      console.log('SKIPPED: chromium is not installed');
      this.skip();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
