import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sweepTemporary } from '../../src/content/index.ts';
import { type Digest, namedBy, parseManifest } from '../../src/oci/index.ts';
import { sweepUploads } from '../../src/origin/index.ts';
import { listed } from '../content/bench.ts';
import { accepted, append, finish, repositoryOf, tagOf } from '../contracts/source-bench.ts';
import { type OriginUnderTest, openOriginAt } from './bench.ts';
import { blobsOf, imageOf, type PushEvent } from './pushed-image.ts';

const ROUNDS = 30;
const WAIT_MS_MAX = 120;
const repository = repositoryOf('crash/app');

describe('the embedded registry, killed while it is pushed to (F-24)', () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dockgate-crash-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it(`has all that was acknowledged and nothing in part, at ${ROUNDS} random points`, async function () {
    this.timeout(300_000);
    const acknowledged = new Set<Digest>();
    let tagged: Digest | undefined;
    for (let round = 0; round < ROUNDS; round += 1) {
      const waitMs = Math.random() * WAIT_MS_MAX;
      const events = await pushAndKill(directory, round, waitMs);
      const opened = await openOriginAt(directory);
      try {
        for (const event of events) if (event.kind === 'stored') acknowledged.add(event.digest);
        tagged = await assertTag(opened, events, tagged);
        await assertWhole(opened, acknowledged);
        await assertResumable(opened, events);
      } catch (error) {
        throw new Error(`after round ${round}, killed ${waitMs} ms after it began`, { cause: error });
      } finally {
        await opened.close();
      }
    }
    assert.ok(acknowledged.size > 0, 'every process was killed before it did anything');
    await sweepTemporary(join(directory, 'content'), Date.now() + 60_000);
    await sweepUploads(join(directory, 'uploads'), Date.now() + 60_000);
  });
});

/** @returns what the process told before it died. */
async function pushAndKill(directory: string, round: number, waitMs: number): Promise<readonly PushEvent[]> {
  const script = join(import.meta.dirname, '../support/upload-process.ts');
  const child = spawn(process.execPath, [script, 'push', directory, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const events: PushEvent[] = [];
  let rest = '';
  const ready = Promise.withResolvers<void>();
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    events.push(...lines.map((line): PushEvent => JSON.parse(line)));
    ready.resolve();
  });
  await Promise.race([ready.promise, once(child, 'close')]);
  assert.ok(events.length > 0, 'the process did not start');
  await sleep(waitMs);
  await kill(child);
  return events;
}

async function kill(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
}

/** The tag is what was set last, or what was being set; and that image is whole. */
async function assertTag(
  { source }: OriginUnderTest,
  events: readonly PushEvent[],
  before: Digest | undefined,
): Promise<Digest | undefined> {
  let expected: readonly (Digest | undefined)[] = [before];
  for (const event of events) {
    if (event.kind === 'tagging') expected = [...expected, event.digest];
    if (event.kind === 'tagged') expected = [event.digest];
  }
  const found = await source.resolve(repository, tagOf('v'));
  assert.ok(expected.includes(found), `the tag is ${found}, not one of ${expected}`);
  if (!found) return undefined;
  const manifest = await source.readManifest(repository, found);
  assert.ok(manifest, 'a tag without its manifest');
  const parsed = parseManifest(manifest.bytes, manifest.mediaType);
  assert.ok(parsed.ok);
  for (const { digest, size } of namedBy(parsed.manifest)) {
    assert.deepEqual(await source.findBlob(repository, digest), { size });
  }
  return found;
}

/** Whatever can be found is what its digest says, and all that was acknowledged can be. */
async function assertWhole(opened: OriginUnderTest, acknowledged: ReadonlySet<Digest>): Promise<void> {
  const { content, source } = opened;
  for (const { digest } of await listed(content)) assert.equal(await content.verify(digest), true, digest);
  for (const digest of acknowledged)
    assert.ok(await source.findBlob(repository, digest), `${digest} is lost`);
}

/** An upload in the middle of which the process died goes on where it stands, or is over. */
async function assertResumable(opened: OriginUnderTest, events: readonly PushEvent[]): Promise<void> {
  const begun = events.findLast((event) => event.kind === 'begun');
  if (!begun) return;
  const blob = blobsOf(await imageOf(begun.name)).find(({ digest }) => digest === begun.digest);
  assert.ok(blob);
  const progress = await opened.source.findUpload(repository, begun.state);
  if (!progress) return;
  const range = { first: progress.offset, last: blob.bytes.length - 1 };
  let { state } = progress;
  if (range.first <= range.last) {
    const shape = { chunks: [blob.bytes.subarray(range.first)], range };
    ({ state } = accepted(await append(opened, repository, state, shape)));
  }
  const finished = await finish(opened, repository, state, begun.digest);
  assert.deepEqual(finished, { size: blob.bytes.length });
}
