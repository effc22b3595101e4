import assert from 'node:assert/strict';
import { unknownSigners } from '../../src/policy/index.ts';
import { policyOf } from './fixtures.ts';

describe('signers that rules ask for', () => {
  const policies = [
    policyOf({ secrets: 'block' }),
    policyOf({
      signatures: { by: ['release', 'relaese'] },
      attestations: [{ type: 'https://slsa.dev/provenance/v1', by: ['ci'] }],
    }),
  ];

  it('are told by their place where the configuration does not know them', () => {
    assert.deepEqual(unknownSigners(policies, ['release']), [
      {
        path: 'policies[1].rules.signatures.by[1]',
        message: 'trust in the configuration knows no "relaese"; there are release',
      },
      {
        path: 'policies[1].rules.attestations[0].by[0]',
        message: 'trust in the configuration knows no "ci"; there are release',
      },
    ]);
    assert.match(unknownSigners(policies, [])[0]?.message ?? '', /nobody is configured there$/);
  });

  it('are no trouble where all are known', () => {
    assert.deepEqual(unknownSigners(policies, ['ci', 'release', 'relaese']), []);
  });
});
