import assert from 'node:assert/strict';
import { outletProblems } from '../../src/config/outlets.ts';
import { schema } from '../../src/config/schema.ts';

function problemsOf(...outlets: readonly object[]): readonly string[] {
  const { audit } = schema.parse({ audit: { outlets } });
  return outletProblems(audit.outlets).map(({ path, message }) => `${path.slice(2).join('.')}: ${message}`);
}

describe('an outlet of the configuration', () => {
  const http = { name: 'siem', kind: 'http', url: 'https://siem.corp/in' };

  it('is accepted in each of its kinds', () => {
    assert.deepEqual(
      problemsOf(
        http,
        { name: 'log', kind: 'syslog', url: 'tls://log.corp:6514', format: 'cef' },
        { name: 'otel', kind: 'otlp', url: 'http://127.0.0.1:4318/v1/logs' },
        { name: 'es', kind: 'elasticsearch', url: 'https://es.corp:9200', authorization: 'ApiKey x' },
      ),
      [],
    );
  });

  for (const [what, outlet, problem] of [
    ['a scheme of another kind', { ...http, url: 'tcp://siem.corp:1' }, /^0\.url: of kind http begins with/],
    ['syslog over HTTP', { ...http, kind: 'syslog' }, /^0\.url: of kind syslog begins with udp:/],
    [
      'syslog without a port',
      { ...http, kind: 'syslog', url: 'tls://log.corp' },
      /^0\.url: must name the port/,
    ],
    [
      'a secret given twice',
      { ...http, secret: 'a', secretFile: 'b' },
      /^0\.secretFile: given beside secret/,
    ],
    [
      'a header given twice',
      { ...http, authorization: 'a', authorizationFile: 'b' },
      /^0\.authorizationFile: given beside/,
    ],
  ] as const) {
    it(`is refused with ${what}`, () => {
      assert.match(problemsOf(outlet)[0] ?? '', problem);
    });
  }

  it('has a name of its own', () => {
    assert.deepEqual(problemsOf(http, http), ['1.name: another outlet has the same name']);
  });

  for (const outlet of [
    { ...http, url: 'https://user:password@siem.corp/' },
    { ...http, name: '../x' },
    { ...http, kind: 'carrier-pigeon' },
    { ...http, format: 'xml' },
    { name: 'x', kind: 'http' },
  ]) {
    it(`is no ${JSON.stringify(outlet)}`, () => {
      assert.equal(schema.safeParse({ audit: { outlets: [outlet] } }).success, false);
    });
  }
});
