import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage, buildIndex, type ImageEntry } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import { until } from '../support/until.ts';
import type { Speaker } from './placeholders.ts';

/** The same when recording and when replaying: who may what, and which images there are. */
export interface RecordedServer {
  readonly server: Dockgate;
  readonly good: BuiltImage;
}

const PASSWORD = 'correct-horse-battery-9';
export const ALICE: Speaker = { name: 'alice', user: 'alice', password: PASSWORD };
export const BOB: Speaker = { name: 'bob', user: 'bob', password: 'stapled-battery-horse-7' };
/** Alice's name and not her password. */
export const IMPOSTOR: Speaker = { name: 'impostor', user: 'alice', password: 'not-the-password-1' };
export const SPEAKERS: readonly Speaker[] = [ALICE, BOB, IMPOSTOR];

/** What the blocked image holds. */
export const LEAKED: readonly string[] = String(PLANTED_AWS_FILE.data).match(/(?<== )\S+/g) ?? [];

/** As much of a system as LXC's template looks for. */
const SYSTEM: readonly ImageEntry[] = [
  { path: 'bin/sh', data: '#!\n', mode: 0o755 },
  { path: 'etc/passwd', data: 'app:x:1000:1000::/:/bin/sh\n' },
  { path: 'etc/group', data: 'app:x:1000:\n' },
];

/** @param publicUrl where clients see it, when not at its own port. */
export async function startRecordedServer(publicUrl?: string): Promise<RecordedServer> {
  const server = await startDockgate({
    workers: 1,
    // Each client shows a wrong password; none is to wait for another's mistake.
    config: 'signIn: { freeAttempts: 100 }\n',
    ...(publicUrl === undefined ? {} : { arguments: ['--public-url', publicUrl] }),
  });
  try {
    await server.addUser(ALICE.user, ALICE.password, ['developer', 'team/**']);
    await server.addUser(BOB.user, BOB.password, ['reader', 'elsewhere/**']);
    const good = await stableImage('amd64', SYSTEM);
    const leaky = await stableImage('amd64', [...SYSTEM, PLANTED_AWS_FILE]);
    const many = buildIndex([good, await stableImage('arm64', SYSTEM)]);
    const basic = `${ALICE.user}:${ALICE.password}`;
    const pusher = createPusher(server, basic);
    for (const [name, image] of Object.entries({ good, leaky, many })) {
      await pusher.push(`team/${name}`, image, '1');
      await until(async () => {
        const { status } = await server.request(`/v2/team/${name}/manifests/1`, { basic });
        return status === (name === 'leaky' ? 403 : 200);
      }, `team/${name} has been scanned`);
    }
    return { server, good };
  } catch (error) {
    await server.remove();
    throw error;
  }
}

/** Of the same bytes at any time, with any version of zlib. */
function stableImage(architecture: string, layer: readonly ImageEntry[]): Promise<BuiltImage> {
  const config = { user: 'app', architecture, created: '2026-01-01T00:00:00Z' };
  return buildImage({ compression: 'none', config, layers: [layer] });
}
