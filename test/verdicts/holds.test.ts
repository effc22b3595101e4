import assert from 'node:assert/strict';
import { createHolds } from '../../src/verdicts/holds.ts';

describe('places to wait', () => {
  it('are limited for one principal, and given back', () => {
    const holds = createHolds({ countMax: 10, perPrincipalMax: 2 });
    const leave = holds.enter('ann');
    assert.ok(holds.enter('ann'));
    assert.equal(holds.enter('ann'), undefined);
    assert.ok(holds.enter('bob'));
    leave?.();
    assert.ok(holds.enter('ann'));
  });

  it('are limited for all together', () => {
    const holds = createHolds({ countMax: 2, perPrincipalMax: 2 });
    const leave = holds.enter('ann');
    assert.ok(holds.enter('bob'));
    assert.equal(holds.enter('cid'), undefined);
    leave?.();
    assert.ok(holds.enter('cid'));
  });
});
