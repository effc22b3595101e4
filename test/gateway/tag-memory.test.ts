import assert from 'node:assert/strict';
import { createLocalChanges, createManualClock } from '../../src/base/index.ts';
import { createTagMemory } from '../../src/gateway/index.ts';
import type { Digest } from '../../src/oci/index.ts';
import { repositoryOf, tagOf } from '../contracts/source-bench.ts';

const OLD = `sha256:${'a'.repeat(64)}` as Digest;
const NEW = `sha256:${'b'.repeat(64)}` as Digest;
const APP = repositoryOf('team/app');

function openWorld() {
  const clock = createManualClock();
  const changes = createLocalChanges();
  const world = { digest: OLD as Digest | undefined, asked: 0, lifeMs: Number.POSITIVE_INFINITY };
  const memory = createTagMemory({ clock, changes: { ...changes, lifetimeMsMax: () => world.lifeMs } });
  const resolve = (freshMs = 2000, repository = APP) =>
    memory.resolve({ repository, tag: tagOf('1'), freshMs }, async () => {
      world.asked += 1;
      return world.digest;
    });
  return { clock, changes, memory, resolve, world };
}

describe('what a registry said of a tag', () => {
  it('counts until it is older than it may be, and never for longer than the line to the others is whole', async () => {
    const { clock, resolve, world } = openWorld();
    assert.equal(await resolve(), OLD);
    world.digest = NEW;
    clock.advance(1999);
    assert.equal(await resolve(), OLD);
    clock.advance(1);
    assert.equal(await resolve(), NEW);
    world.lifeMs = 0;
    await resolve();
    assert.equal(world.asked, 3);
  });

  it('is asked for at each pull where nothing may be old', async () => {
    const { resolve, world } = openWorld();
    await resolve(0);
    await resolve(0);
    assert.equal(world.asked, 2);
  });

  it('is dropped by a change of its repository alone, and by a change that may have been lost', async () => {
    const { changes, resolve, world } = openWorld();
    await resolve();
    changes.publish({ topic: 'links', key: 'team/other' });
    changes.publish({ topic: 'facts', key: 'team/app' });
    await resolve();
    assert.equal(world.asked, 1);
    changes.publish({ topic: 'links', key: 'team/app' });
    await resolve();
    changes.publish({ topic: 'links' });
    await resolve();
    changes.lose();
    await resolve();
    assert.equal(world.asked, 4);
  });

  it('is one question for all who ask meanwhile, but not for who asks after a push', async () => {
    const { changes, memory } = openWorld();
    const answers: ((digest: Digest) => void)[] = [];
    const resolve = () =>
      memory.resolve(
        { repository: APP, tag: tagOf('1'), freshMs: 2000 },
        () => new Promise((answer) => void answers.push(answer)),
      );
    const before = [resolve(), resolve()];
    assert.equal(answers.length, 1);
    changes.publish({ topic: 'links', key: 'team/app' });
    const after = resolve();
    assert.equal(answers.length, 2);
    answers[1]?.(NEW);
    answers[0]?.(OLD);
    assert.deepEqual(await Promise.all(before), [OLD, OLD]);
    assert.equal(await after, NEW);
    assert.equal(await resolve(), NEW);
  });

  it('does not remember absence or a fault', async () => {
    const { memory, resolve, world } = openWorld();
    world.digest = undefined;
    assert.equal(await resolve(), undefined);
    world.digest = OLD;
    assert.equal(await resolve(), OLD);
    const question = () => Promise.reject(new Error('away'));
    const wanted = { repository: repositoryOf('team/other'), tag: tagOf('1'), freshMs: 2000 };
    await assert.rejects(memory.resolve(wanted, question), /away/);
    assert.equal(await memory.resolve(wanted, async () => NEW), NEW);
  });
});
