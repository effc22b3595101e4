import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import fc from 'fast-check';
import type { AuditEntry } from '../../src/audit/index.ts';
import { encodeLine, LINE_BYTES_MAX, parseLine } from '../../src/audit/line.ts';
import { entry } from './lab.ts';

const stamp = { id: 'a'.repeat(26), time: '2026-11-24T11:35:19.123456Z', node: 'n1', writer: 'w1', seq: 7 };

/** Any text at all, with a liking for what does harm in a terminal or a parser. */
const nasty = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom(
      '\u001b',
      '\u009b',
      '\u202e',
      '\u2028',
      '\0',
      '\ud800',
      '\udc00',
      '\n',
      '"',
      '\\',
      'a',
    ),
  }),
  fc.string({ minLength: 3000, maxLength: 20_000, unit: fc.constantFrom('\u0001', 'x') }),
);

const anyEntry: fc.Arbitrary<AuditEntry> = fc.record(
  {
    kind: fc.constantFrom('decision', 'completion', 'summary', 'system'),
    requestId: nasty,
    action: nasty,
    outcome: fc.constantFrom('allowed', 'refused'),
    status: fc.integer({ min: 0, max: 599 }),
    reason: nasty,
    principal: fc.record({ kind: nasty, id: nasty, name: nasty, via: fc.constant('token'), tokenId: nasty }),
    client: fc.record({ address: nasty, userAgent: nasty }),
    method: nasty,
    repository: nasty,
    reference: nasty,
    digest: nasty,
    because: nasty,
    verdict: fc.record({
      outcome: nasty,
      reasons: fc.array(
        fc.record({ policy: nasty, rule: nasty, findings: fc.array(nasty, { maxLength: 150 }) }),
      ),
    }),
    change: fc.record({
      before: fc.anything({ withBigInt: true, withDate: true }),
      after: fc.object({ key: nasty }),
    }),
    bytes: fc.nat(),
    durationMs: fc.double({ noNaN: true, noDefaultInfinity: true }),
    isAborted: fc.boolean(),
    note: nasty,
  },
  { requiredKeys: ['kind', 'requestId', 'action', 'outcome', 'status'] },
);

describe('a line of the access log', () => {
  it('is the same line whether nothing had to be cut or something else had', () => {
    const short = fc.string({ unit: 'binary', maxLength: 40 });
    const reason = fc.record({ policy: short, rule: short, findings: fc.array(short, { maxLength: 3 }) });
    const entries = fc.record(
      {
        requestId: short,
        action: short,
        principal: fc.record({ kind: short, id: short, name: short, via: fc.constant('token' as const) }),
        client: fc.record({ address: short, userAgent: short }, { requiredKeys: ['address'] }),
        verdict: fc.record({ outcome: short, reasons: fc.array(reason, { maxLength: 3 }) }),
        digest: short,
        isTransfer: fc.boolean(),
      },
      { requiredKeys: ['requestId', 'action'] },
    );
    fc.assert(
      fc.property(entries, (given) => {
        const whole = encodeLine({ ...entry(), ...given }, stamp);
        const cut = encodeLine({ ...entry(), ...given, note: 'n'.repeat(3000) }, stamp);
        const { note, ...rest } = cut.record;
        assert.equal(note?.includes('[cut: 3000 characters'), true);
        assert.deepEqual(whole.record, rest);
        assert.equal(cut.text.startsWith(whole.text.slice(0, -1)), true);
      }),
    );
  });

  it('A-04: holds no credential, wherever a caller put one', () => {
    const robot = `dgr_${'a1B2'.repeat(12)}x`;
    const refresh = `dgf_${'a2b3'.repeat(6)}ab_${'c4D5'.repeat(12)}y`;
    const access = `eyJ${'hbGciOi'.repeat(3)}.eyJ${'pc3MiO'.repeat(3)}.${'sIgNa-_'.repeat(3)}`;
    const basic = Buffer.from('ann:hunter2').toString('base64');
    const secrets = [robot, refresh, access, basic];
    const userAgent = `x/1 ${robot} ${refresh} ${access} (Authorization: Basic ${basic}) bearer ${access}`;
    const change = { after: { header: `BASIC ${basic}`, deep: [`token=${access}`] } };
    const { text } = encodeLine(
      { ...entry(), reference: robot, note: refresh, change, client: { address: '::1', userAgent } },
      stamp,
    );
    for (const secret of secrets) assert.ok(!text.includes(secret), secret);
    for (const note of [robot, refresh, access, `Basic ${basic}`]) {
      const line = encodeLine({ ...entry(), note }, stamp).text;
      assert.ok(!secrets.some((secret) => line.includes(secret)), note);
    }
    const harmless = 'Basic hardening; bearer of news; eyJ; dgr_short; Basic auth is off';
    assert.equal(encodeLine({ ...entry(), note: harmless }, stamp).record.note, harmless);
  });

  it('is printable ASCII of at most 16 KiB that reads back as the same record, whatever the fields hold (A-02)', () => {
    fc.assert(
      fc.property(anyEntry, (any) => {
        const { record, text } = encodeLine(any, stamp);
        assert.match(text, /^[\x20-\x7e]+$/);
        assert.ok(text.length <= LINE_BYTES_MAX);
        assert.deepEqual(parseLine(Buffer.from(text)), JSON.parse(JSON.stringify(record)));
      }),
      { numRuns: 150 },
    );
  });

  it('stores escape sequences, bidi marks, separators, NUL and lone surrogates as \\uXXXX (A-02)', () => {
    const { text } = encodeLine(entry({ note: '\u001b]0;x\u0007\u009b\u202e\u2028\0\ud800\u200b' }), stamp);
    assert.ok(text.includes('\\u001b]0;x\\u0007\\u009b\\u202e\\u2028\\u0000\\ud800\\u200b'));
  });

  it('cuts a field of 1 MiB with a mark and the hash of the whole (A-02)', () => {
    const whole = 'x'.repeat(1024 * 1024);
    const { record } = encodeLine(entry({ client: { address: '127.0.0.1', userAgent: whole } }), stamp);
    assert.match(record.client?.userAgent ?? '', /^x+\[cut: 1048576 characters, sha256:[0-9a-f]{64}\]$/);
    assert.ok(record.client?.userAgent?.includes(hash('sha256', whole)));
    assert.equal(record.client?.address, '127.0.0.1');
  });

  it('keeps principal and client whole in kind when everything else must be cut', () => {
    const long = '\u0001'.repeat(5000);
    const principal = { kind: long, id: long, name: long, via: 'token', tokenId: long } as const;
    const fields = { principal, note: long, reason: long, because: long, repository: long, reference: long };
    const { record } = encodeLine(entry({ ...fields, client: { address: long, userAgent: long } }), stamp);
    assert.deepEqual(Object.keys(record.principal ?? {}), ['kind', 'id', 'name', 'via', 'tokenId']);
    assert.equal(record.principal?.via, 'token');
  });

  it('leaves a reason that says how many reasons were cut', () => {
    const reasons = Array.from({ length: 500 }, (_, at) => ({
      policy: 'p',
      rule: `r${at}`,
      findings: ['CVE-1'],
    }));
    const { record } = encodeLine(entry({ verdict: { outcome: 'block', reasons } }), stamp);
    assert.match(record.verdict?.reasons.at(-1)?.rule ?? '', /^\[cut: \d+ more entries, sha256:/);
  });

  it('writes only the fields of the allow list, also one level down (A-04)', () => {
    const principal = { kind: 'user', id: '1', name: 'ann', via: 'basic', password: 'hunter2' } as const;
    const more = { ...entry(), principal, authorization: 'Bearer secret' };
    const { text } = encodeLine(more, stamp);
    assert.ok(!text.includes('hunter2') && !text.includes('secret') && !text.includes('authorization'));
  });

  it('ends a change that contains itself instead of failing', () => {
    const before: Record<string, unknown> = { name: 'x' };
    before.self = before;
    const { text } = encodeLine(entry({ change: { before } }), stamp);
    assert.ok(text.includes('[cut: nested too deep]'));
  });

  it('does not let a key named __proto__ become a prototype', () => {
    const before: unknown = JSON.parse('{"__proto__":{"polluted":true}}');
    const { text, record } = encodeLine(entry({ change: { before } }), stamp);
    assert.ok(text.includes('"__proto__":{"polluted":true}'));
    assert.ok(!('polluted' in (record.change ?? {})));
  });

  const good = encodeLine(entry({ note: 'é' }), stamp).text;
  const refused: readonly [string, string][] = [
    ['nothing', ''],
    ['text that is not JSON', 'hello'],
    ['a JSON value that is no object', '[1]'],
    ['a key given twice (A-28)', good.replace('"v":1', '"v":1,"v":1')],
    ['another spelling of a character (A-28)', good.replace('\\u00e9', '\\u00E9')],
    ['a raw character beyond ASCII', good.replace('\\u00e9', 'é')],
    ['space between tokens (A-28)', good.replace('{', '{ ')],
    ['another spelling of a number (A-28)', good.replace('"seq":7', '"seq":7.0')],
    ['another version', good.replace('"v":1', '"v":2')],
    ['number zero', good.replace('"seq":7', '"seq":0')],
    ['a number beyond what a double holds (A-29)', good.replace('"seq":7', '"seq":9007199254740993')],
    ['a time in another form', good.replace('.123456Z', '.123Z')],
    ['a writer name with a path in it', good.replace('"writer":"w1"', '"writer":"../w1"')],
    ['a missing outcome', good.replace('"outcome":"allowed",', '')],
    ['a status that is no number', good.replace('"status":200', '"status":"200"')],
    ['more than 16 KiB', good.replace('"note":"', `"note":"${'x'.repeat(LINE_BYTES_MAX)}`)],
  ];
  for (const [what, text] of refused) {
    it(`is no record when it is ${what}`, () => {
      assert.notEqual(text, good);
      assert.equal(parseLine(Buffer.from(text)), undefined);
    });
  }

  it('holds sequence numbers beyond 2^32 (A-29)', () => {
    const { text } = encodeLine(entry(), { ...stamp, seq: 2 ** 40 });
    assert.equal(parseLine(Buffer.from(text))?.seq, 2 ** 40);
  });
});
