import assert from 'node:assert/strict';
import { schema } from '../../src/config/schema.ts';
import { witnessProblems } from '../../src/config/witnesses.ts';

function problemsOf(...witnesses: readonly object[]): readonly string[] {
  const { audit } = schema.parse({ audit: { witnesses } });
  return witnessProblems(audit.witnesses).map(
    ({ path, message }) => `${path.slice(2).join('.')}: ${message}`,
  );
}

const KEY = `far+01234567+${'A'.repeat(44)}`;

describe('a witness of the configuration', () => {
  const file = { name: 'far', kind: 'file', path: '/mnt/far/checkpoints' };
  const s3 = {
    name: 's3',
    kind: 's3',
    url: 'https://s3.corp/bucket',
    accessKeyId: 'KEY',
    secretAccessKey: 'x',
  };

  it('is accepted in each of its kinds', () => {
    assert.deepEqual(
      problemsOf(
        file,
        { name: 'http', kind: 'http', url: 'https://far.corp/in', secret: 'shared' },
        { name: 'tlog', kind: 'tlog-witness', url: 'https://far.corp', publicKey: KEY },
        s3,
        { name: 'log', kind: 'syslog', url: 'tls://log.corp:6514' },
      ),
      [],
    );
  });

  for (const [what, witness, problem] of [
    ['a file without its path', { name: 'x', kind: 'file' }, '0.path: is needed by kind file'],
    [
      'a witness without its key',
      { name: 'x', kind: 'tlog-witness', url: 'https://far.corp' },
      '0.publicKey: is needed by kind tlog-witness',
    ],
    [
      'a store without its secret',
      { ...s3, secretAccessKey: undefined },
      '0.secretAccessKey: is needed by kind s3',
    ],
    [
      'a store over syslog',
      { ...s3, url: 'tcp://s3.corp:1' },
      '0.url: of kind s3 begins with http://, https://',
    ],
    [
      'syslog over HTTP',
      { name: 'x', kind: 'syslog', url: 'https://log.corp:1' },
      '0.url: of kind syslog begins with udp://, tcp://, tls://',
    ],
    [
      'syslog without a port',
      { name: 'x', kind: 'syslog', url: 'tls://log.corp' },
      '0.url: must name the port, such as tls://siem.corp:6514',
    ],
    [
      'a secret given twice',
      { ...s3, secretAccessKeyFile: 'y' },
      '0.secretAccessKeyFile: given beside secretAccessKey: leave one of the two away',
    ],
  ] as const) {
    it(`is refused with ${what}`, () => {
      assert.deepEqual(problemsOf(witness), [problem]);
    });
  }

  it('takes the secret of a store from a file', () => {
    assert.deepEqual(problemsOf({ ...s3, secretAccessKey: undefined, secretAccessKeyFile: 'y' }), []);
  });

  it('has a name of its own', () => {
    assert.deepEqual(problemsOf(file, file), ['1.name: another witness has the same name']);
  });
});
