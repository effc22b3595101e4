/**
 * Takes down the conversations of real clients, for `test/clients/transcripts.test.ts` to repeat without them:
 *
 *     node test/record-clients.ts              # every client that runs here
 *     node test/record-clients.ts docker crane
 *
 * Where a client does not run, its transcript stays as it is.
 */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId, systemRandom } from '../src/base/index.ts';
import type { ContainerClient } from './clients/container-client.ts';
import { RECORDED_CLIENTS, type RecordedClient, versionOf } from './clients/recorded-clients.ts';
import { ALICE, BOB, IMPOSTOR, SPEAKERS, startRecordedServer } from './clients/recorded-server.ts';
import { openRecordingLine } from './clients/recording-line.ts';
import type { Conversation, Transcript } from './clients/transcript.ts';
import type { BuiltImage } from './support/image.ts';
import { writeOciLayout } from './support/image.ts';
import type { Ran } from './support/run.ts';

const FOLDER = join(import.meta.dirname, 'clients/transcripts');

interface Scene {
  readonly title: string;
  readonly speaker: typeof ALICE;
  /** Absent: signing in is all. */
  readonly act?: (client: ContainerClient) => Promise<Ran>;
  readonly isRefused?: boolean;
}

function scenesOf(client: RecordedClient, good: BuiltImage, layout: string): readonly Scene[] {
  const pull = (image: string, platform?: string) => (ran: ContainerClient) => ran.pull(image, platform);
  const push = (image: string) => (ran: ContainerClient) => ran.push(`${layout}:good`, image);
  const wrong = client.signsInUnchecked ? { act: pull('team/good:1') } : {};
  const pushes: readonly Scene[] = [
    { title: 'pushes', speaker: ALICE, act: push(`team/pushed-${client.name}:1`) },
    { title: 'pushes without a grant', speaker: BOB, act: push('team/by-bob:1'), isRefused: true },
  ];
  const foreign: Scene = {
    title: 'pulls for another platform',
    speaker: ALICE,
    act: pull('team/many:1', 'linux/arm64'),
  };
  return [
    { title: 'signs in', speaker: ALICE },
    { title: 'signs in with a wrong password', speaker: IMPOSTOR, ...wrong, isRefused: true },
    ...(client.pullsOnly ? [] : pushes),
    { title: 'pulls by tag', speaker: ALICE, act: pull('team/good:1') },
    { title: 'pulls by digest', speaker: ALICE, act: pull(`team/good@${good.digest}`) },
    ...(client.hasOnePlatform ? [] : [foreign]),
    { title: 'pulls what does not exist', speaker: ALICE, act: pull('team/nothing:1'), isRefused: true },
    { title: 'pulls a blocked image', speaker: ALICE, act: pull('team/leaky:1'), isRefused: true },
    { title: 'pulls without a grant', speaker: BOB, act: pull('team/good:1'), isRefused: true },
  ];
}

/** @throws {Error} the client does not run here, or a command ended as it should not. */
async function record(recorded: RecordedClient): Promise<Transcript> {
  const version = await versionOf(recorded);
  const line = await openRecordingLine();
  const { server, good } = await startRecordedServer(line.url);
  // podman takes a path for a name, and wants it in lower case.
  const layout = join(tmpdir(), `layout-${newId(systemRandom)}`);
  try {
    line.connect(server);
    await writeOciLayout(layout, { good });
    const open = await recorded.open({ ...server, host: line.host, caPath: line.caPath });
    try {
      const conversations: Conversation[] = [];
      for (const { title, speaker, act, isRefused } of scenesOf(recorded, good, layout)) {
        const client = open.create();
        try {
          const login = await client.login(speaker.user, speaker.password);
          const last = act && login.code === 0 ? await act(client) : login;
          assert.equal(last.code !== 0, isRefused ?? false, `${recorded.name} ${title}: ${last.output}`);
        } finally {
          client.remove();
        }
        conversations.push({ title, exchanges: await line.take(SPEAKERS) });
      }
      return {
        client: version,
        conversations: conversations.filter(({ exchanges }) => exchanges.length > 0),
      };
    } finally {
      await open.close();
    }
  } finally {
    rmSync(layout, { recursive: true, force: true });
    await server.remove();
    await line.close();
  }
}

const wanted = process.argv.slice(2);
for (const recorded of RECORDED_CLIENTS) {
  if (wanted.length > 0 && !wanted.includes(recorded.name)) continue;
  try {
    const transcript = await record(recorded);
    writeFileSync(join(FOLDER, `${recorded.name}.json`), `${JSON.stringify(transcript, undefined, 2)}\n`);
    console.log(`${transcript.client}: ${transcript.conversations.length} conversations`);
  } catch (error) {
    process.exitCode = 1;
    console.error(`${recorded.name} is not recorded:`, error);
  }
}
