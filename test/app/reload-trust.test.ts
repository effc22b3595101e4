import assert from 'node:assert/strict';
import { reloadTrust } from '../../src/app/reload-trust.ts';
import { StartError, silentLogger } from '../../src/base/index.ts';
import { createSigner } from '../support/signer.ts';

describe('whom the operator trusts, read again', () => {
  const trustOf = (pem: string) => ({
    keys: [{ name: 'release', pem, where: 'release.pub', isRevoked: false, untilMs: undefined }],
    ...{ identities: [], stores: [], notation: [], root: undefined },
  });
  const reload = async (load: Parameters<typeof reloadTrust>[0]) => {
    const errors: unknown[] = [];
    const logger = { ...silentLogger, error: (...all: readonly unknown[]) => void errors.push(all[0]) };
    return { trust: await reloadTrust(load, { logger }), errors };
  };

  it('is what the configuration says now', async () => {
    const trust = trustOf(createSigner().pem);
    assert.deepEqual(await reload(async () => ({ trust })), { trust, errors: [] });
  });

  it('is nothing, and logged, when a key or the configuration cannot be used', async () => {
    for (const load of [
      async () => ({ trust: trustOf('no key') }),
      () => Promise.reject(new StartError('the configuration is wrong')),
    ]) {
      const { trust, errors } = await reload(load);
      assert.deepEqual([trust, errors.length], [undefined, 1]);
    }
  });
});
