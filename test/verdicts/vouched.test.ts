import assert from 'node:assert/strict';
import type { Repository } from '../../src/oci/index.ts';
import type { ScanRequests, VerdictMemory, Vouchers } from '../../src/verdicts/index.ts';
import { NOW_MS, policyOf, repositoryOf } from '../policy/fixtures.ts';
import { type BuiltImage, buildImage } from '../support/image.ts';
import { APP, openWorld, type World } from './world.ts';

const OTHER = repositoryOf('team/other');
const SCANS: Omit<ScanRequests, 'status'> = {
  isOffered: () => true,
  request: async () => {},
  wait: async () => ({ isDone: false, restMs: 0 }),
};

describe('verdicts that hang on signatures', () => {
  let world: World;
  let image: BuiltImage;
  /** Repositories that hold a signature on everything. */
  let signed: Set<Repository>;
  let asked: number;
  let trustChanged = () => {};
  const vouchers: Vouchers = {
    onTrustChange(handler) {
      trustChanged = handler;
      return () => {};
    },
    async findVouched(repository) {
      asked += 1;
      return { attested: signed.has(repository) ? [{ by: 'release' }] : [], rejected: [] };
    },
  };

  beforeEach(async () => {
    world = await openWorld();
    image = await buildImage();
    signed = new Set();
    asked = 0;
    for (const repository of [APP, OTHER]) await world.push(image, repository);
    await world.report(image.digest);
    await world.setPolicies(policyOf({ signatures: { by: ['release'] } }));
  });
  afterEach(() => world.close());

  const open = (more: { readonly memory?: VerdictMemory; readonly vouchers?: Vouchers } = { vouchers }) => {
    const verdicts = world.openVerdicts({ scans: SCANS, ...more });
    return async (repository = APP) => (await verdicts.peek(repository, image.digest)).outcome;
  };
  const push = async () => world.push(await buildImage({ config: { user: 'signature' } }));

  it('are for the one repository that holds the signature', async () => {
    signed.add(APP);
    const ask = open();
    assert.deepEqual([await ask(), await ask(OTHER)], ['allow', 'block']);
  });

  it('V-33: are made anew when others are trusted', async () => {
    signed.add(APP);
    const ask = open();
    assert.equal(await ask(), 'allow');
    signed.delete(APP);
    assert.equal(await ask(), 'allow');
    trustChanged();
    assert.equal(await ask(), 'block');
  });

  it('are remembered, and made anew after a push or a delete in their repository', async () => {
    const ask = open();
    assert.equal(await ask(), 'block');
    signed.add(APP);
    assert.equal(await ask(), 'block');
    assert.equal(asked, 1);
    await push();
    assert.equal(await ask(), 'allow');
    signed.delete(APP);
    await world.store.links.removeManifest(APP, image.digest);
    assert.equal(await ask(), 'block');
  });

  it('V-30: are not changed by what is pushed elsewhere, and are not taken from the shared memory', async () => {
    const memory: VerdictMemory = {
      find: () => assert.fail('was asked'),
      keep: () => assert.fail('was told'),
      drop: async () => {},
      distrust() {},
    };
    const ask = open({ memory, vouchers });
    assert.equal(await ask(), 'block');
    assert.equal(await ask(OTHER), 'block');
    assert.equal(asked, 2);
  });

  it('that refuse are made anew after a minute: a signature at a registry behind tells nobody', async () => {
    const ask = open();
    assert.equal(await ask(), 'block');
    signed.add(APP);
    world.clock.set(NOW_MS + 59_999);
    assert.equal(await ask(), 'block');
    world.clock.set(NOW_MS + 60_000);
    assert.equal(await ask(), 'allow');
  });

  it('refuse where nobody can tell who signed', async () => {
    assert.equal(await open({})(), 'block');
  });

  it('are not made while the registry is away, and nothing is remembered of that', async () => {
    let isAway = true;
    const ask = open({
      vouchers: {
        onTrustChange: () => () => {},
        async findVouched() {
          if (isAway) throw new Error('away');
          return { attested: [{ by: 'release' }], rejected: [] };
        },
      },
    });
    await assert.rejects(ask(), /away/);
    isAway = false;
    assert.equal(await ask(), 'allow');
  });
});
