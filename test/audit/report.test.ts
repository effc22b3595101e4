import assert from 'node:assert/strict';
import type { RecordFilter } from '../../src/audit/filter.ts';
import { makeReport, type Report, type ReportName, reportCsv } from '../../src/audit/index.ts';
import type { AuditEntry } from '../../src/audit/record.ts';
import { type BuiltLog, buildLog } from './built-log.ts';

const person = (name: string) => ({ kind: 'user', id: `id-${name}`, name, via: 'token' as const });

const ENTRIES: readonly Partial<AuditEntry>[] = [
  { principal: person('alice'), action: 'push', repository: 'team/app', method: 'PUT' },
  { principal: person('bob'), repository: 'team/app', method: 'GET' },
  { principal: person('bob'), repository: 'team/app', method: 'GET' },
  { principal: person('bob'), repository: 'team/app', kind: 'completion', bytes: 5 },
  {
    principal: person('bob'),
    repository: 'team/bad',
    outcome: 'refused',
    status: 403,
    reason: 'policy.secrets',
    verdict: { outcome: 'block', reasons: [{ policy: 'default', rule: 'secrets', findings: ['x'] }] },
  },
  {
    principal: person('eve'),
    repository: '=cmd()',
    outcome: 'refused',
    status: 403,
    reason: 'grant.missing',
  },
  { kind: 'summary', action: 'flood', outcome: 'refused', count: 40, reason: 'limit.sign-in' },
  { principal: person('root'), action: 'admin.grant.add', method: 'POST' },
  { principal: person('root'), action: 'admin.users.list', method: 'GET' },
  { kind: 'system', action: 'log.heartbeat', status: 0 },
];

describe('a report on the access log', () => {
  let built: BuiltLog;
  before(async () => {
    built = await buildLog();
    await built.growTo(ENTRIES.length, (index) => ({ repository: '', ...ENTRIES[index] }));
  });
  after(() => built.end());

  const make = (name: ReportName, filter: RecordFilter = {}): Promise<Report> =>
    makeReport(name, { directory: built.directory, publicKey: built.publicKey, filter });
  const rowsOf = async (name: ReportName, filter?: RecordFilter): Promise<readonly (readonly unknown[])[]> =>
    (await make(name, filter)).rows.map(({ values, count }) => [...values, count]);

  it('counts refusals by reason and rule, a summary as many as it stands for', async () => {
    assert.deepEqual(await rowsOf('refusals'), [
      ['limit.sign-in', '', 'flood', '', 40],
      ['grant.missing', '', 'pull', '=cmd()', 1],
      ['policy.secrets', 'default/secrets', 'pull', 'team/bad', 1],
    ]);
  });

  it('says what one principal did, each request once', async () => {
    assert.deepEqual(await rowsOf('principals', { user: 'bob' }), [
      ['bob', 'pull', 'team/app', 'allowed', '', 2],
      ['bob', 'pull', 'team/bad', 'refused', 'policy.secrets', 1],
    ]);
  });

  it('says who asked one repository for what', async () => {
    const { rows } = await make('repositories', { repository: 'team/app' });
    assert.deepEqual(
      rows.map(({ values, count }) => [...values, count]),
      [
        ['team/app', 'bob', 'pull', 'allowed', '', 2],
        ['team/app', 'alice', 'push', 'allowed', '', 1],
      ],
    );
    assert.ok(rows[0] && rows[0].first < rows[0].last);
  });

  it('lists what administration changed and not what it looked at', async () => {
    assert.deepEqual(await rowsOf('changes'), [['root', 'admin.grant.add', 'allowed', '', 1]]);
  });

  it('counts by day, and everything but completions and the words of the house once', async () => {
    const rows = await rowsOf('days');
    assert.ok(rows.every(([day]) => /^\d{4}-\d\d-\d\d$/.test(String(day))));
    assert.equal(
      rows.reduce((sum, row) => sum + Number(row.at(-1)), 0),
      47,
    );
  });

  it('is empty where nothing was asked for, and still has its heading', async () => {
    const empty = await make('refusals', { user: 'nobody' });
    assert.deepEqual([empty.rows, empty.isCut], [[], false]);
    assert.equal(reportCsv(empty), '"reason","rules","action","repository","count","first","last"\r\n');
  });

  it('leaves as CSV without a formula (A-03)', async () => {
    assert.match(reportCsv(await make('refusals')), /"'=cmd\(\)","1"/);
  });
});
