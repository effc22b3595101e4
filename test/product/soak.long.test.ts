import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as passing } from 'node:timers/promises';
import { familyOf } from '../../bench/processes.ts';
import { MiB, newId, systemRandom } from '../../src/base/index.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { type BuiltImage, buildImage, buildIndex, writeOciLayout } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import { CONTAINERD } from './soak/containerd.ts';
import { createDocker } from './soak/docker.ts';
import { createLedger } from './soak/ledger.ts';
import { checkLog } from './soak/log-check.ts';
import { watchMemory } from './soak/memory.ts';
import { PODMAN } from './soak/podman.ts';
import { type RealClient, startRealClients } from './soak/real-clients.ts';
import { createSession, type Session } from './soak/session.ts';
import type { Dialect, Shared } from './soak/wire.ts';

const PASSWORD = 'correct-horse-battery-9';
const SECONDS = Number(process.env.DOCKGATE_SOAK_SECONDS ?? 300);
const CLIENTS = 200;
/** Caches fill and code is compiled; a short run warms up for a fifth of it. */
const WARM_UP_SECONDS = Math.min(60, SECONDS / 5);
const SAMPLE_MS = 1000;
/** One operation in so many is a push, which is pulled back. */
const PUSH_EVERY = 5;
const USERS = ['ana', 'ben', 'cem', 'dua', 'eva', 'fee', 'gil', 'hal'];
const REAL_USER = 'operator';
/** The clients leave the processor to the server. */
const NICE = 5;
/** So much patience for clients that get little of a busy machine. */
const CONFIG = 'limits: { header: 60s, idle: 5m }\n';
const POLICY = `policies:
  - name: soak
    match: ["team/**"]
    mode: enforce
    hold: 60s
    rules: { scanned: { by: [inspector], within: 7d }, secrets: block, malware: block, age: { max: 180d } }
`;

describe(`two hundred mixed clients that pull and push for ${SECONDS} seconds`, function () {
  this.timeout((SECONDS + 900) * 1000);
  let server: Dockgate;
  let layout: string;
  let shared: readonly Shared[];
  let base: BuiltImage;
  let real: readonly RealClient[] = [];

  before(async () => {
    server = await startDockgate({ config: CONFIG });
    setPriority(NICE);
    await server.run(['policy', 'apply', '-f', '-'], POLICY);
    for (const user of [...USERS, REAL_USER]) await server.addUser(user, PASSWORD, ['developer', 'team/**']);
    base = await noiseImage([100_000, 10_000, 400_000]);
    const arm = await buildImage({ config: { user: 'app', architecture: 'arm64' } });
    const leaky = await buildImage({ config: { user: 'app' }, layers: [[PLANTED_AWS_FILE]] });
    shared = [
      { repository: 'team/base', tag: '1', item: base },
      { repository: 'team/large', tag: '1', item: await noiseImage([1_500_000, 20_000]) },
      { repository: 'team/many', tag: 'latest', item: buildIndex([await noiseImage([50_000, 60_000]), arm]) },
      { repository: 'team/leaky', tag: '1', item: leaky, isBlocked: true },
    ];
    const pusher = createPusher(server, `${USERS[0]}:${PASSWORD}`);
    for (const { repository, item, tag, isBlocked } of shared) {
      await pusher.push(repository, item, tag);
      // Held until its scan has ended.
      const answer = await server.request(`/v2/${repository}/manifests/${tag}`, {
        basic: `${REAL_USER}:${PASSWORD}`,
      });
      assert.equal(answer.status, isBlocked ? 403 : 200, answer.text);
    }
    // podman takes a path for a name, and wants it in lower case.
    layout = join(tmpdir(), `soak-${newId(systemRandom)}`);
    mkdirSync(layout);
    const tags = ['one', 'two', 'three', 'four'];
    const images = await Promise.all(
      tags.map(async (tag) => [tag, await noiseImage([30_000, 5000])] as const),
    );
    await writeOciLayout(layout, Object.fromEntries(images));
    const signIn = { user: REAL_USER, password: PASSWORD };
    real = await startRealClients({ server, layout, tags, shared: 'team/base:1', ...signIn });
  });
  after(async () => {
    for (const client of real) client.remove();
    await server?.remove();
    if (layout !== undefined) rmSync(layout, { recursive: true, force: true });
  });

  function openFiles(): number {
    return familyOf(server.pid).reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
  }

  it('none fails, memory is flat, each answer has its record, and log and content are whole', async () => {
    const filesBefore = openFiles();
    const startedAtMs = performance.now();
    const endMs = startedAtMs + SECONDS * 1000;
    const problems: string[] = [];
    const ledger = createLedger();
    const operations = { pulls: 0, pushes: 0, refused: 0 };
    const dialects: readonly Dialect[] = [createDocker(), CONTAINERD, PODMAN];

    const repeat = async (turn: () => Promise<void>): Promise<void> => {
      while (performance.now() < endMs) {
        try {
          await turn();
        } catch (error) {
          problems.push(error instanceof Error ? error.message : String(error));
        }
      }
    };
    const pullAny = async (session: Session, { pull }: Dialect): Promise<void> => {
      const one = shared[randomInt(shared.length)] ?? assert.fail('no image');
      await pull(session, one);
      if (one.isBlocked) operations.refused += 1;
      else operations.pulls += 1;
    };
    const pushAndPull = async (session: Session, { pull, push }: Dialect): Promise<void> => {
      const [layer] = base.layers;
      if (!layer) throw new Error('no layer to mount');
      const noise = [{ path: `app-${session.number}`, data: randomBytes(randomInt(1000, 40_000)) }];
      const image = await buildImage({
        config: { user: 'app' },
        layers: [{ bytes: layer.bytes, mediaType: layer.mediaType }, noise],
      });
      const place = { repository: `team/app-${session.number}`, tag: `t${randomInt(10)}` };
      await push(session, { ...place, image, mountFrom: 'team/base' });
      operations.pushes += 1;
      await pull(session, { ...place, item: image });
      operations.pulls += 1;
    };

    const raw = CLIENTS - real.length;
    const sessions = Array.from({ length: raw }, (_, number) => {
      const dialect = dialects[number % dialects.length] ?? PODMAN;
      const user = USERS[number % USERS.length] ?? REAL_USER;
      const { keepsConnections } = dialect;
      const options = { server, ledger, number, user, password: PASSWORD, keepsConnections };
      return { session: createSession(options), dialect };
    });
    const memory = watchMemory(server.pid);
    const sample = async (): Promise<void> => {
      await passing(WARM_UP_SECONDS * 1000);
      while (performance.now() < endMs) {
        memory.sample(performance.now());
        await passing(SAMPLE_MS);
      }
    };
    await Promise.all([
      sample(),
      ...real.map(({ turn }) => repeat(turn)),
      ...sessions.map(({ session, dialect }) =>
        repeat(() => (randomInt(PUSH_EVERY) === 0 ? pushAndPull : pullAny)(session, dialect)),
      ),
    ]);
    const tookSeconds = (performance.now() - startedAtMs) / 1000;
    for (const { session } of sessions) session.close();

    const check = await checkLog(server, ledger);
    const growth = memory.growth();
    const answers = [...ledger.byStatus.values()].reduce((sum, count) => sum + count, 0);
    const realDone = real.reduce(
      ({ pushes, pulls }, { done }) => ({ pushes: pushes + done.pushes, pulls: pulls + done.pulls }),
      { pushes: 0, pulls: 0 },
    );
    printTable([
      ['clients', `${raw} on the wire, ${real.map(({ name }) => name).join(' ')}`],
      ['time', `${Math.round(tookSeconds)} s`],
      [
        'on the wire',
        `${operations.pulls} pulls, ${operations.pushes} pushes, ${operations.refused} refused`,
      ],
      ['real programs', `${realDone.pulls} pulls, ${realDone.pushes} pushes`],
      ['requests', `${ledger.sent} sent, ${answers} answered (${Math.round(answers / tookSeconds)}/s)`],
      [
        'by status',
        [...ledger.byStatus]
          .sort()
          .map(([status, count]) => `${status}: ${count}`)
          .join(', '),
      ],
      ['429, waited for', String(ledger.waited)],
      ['on ended connections', String(ledger.unanswered)],
      ['failures', String(problems.length)],
      ...kindsOf(problems),
      [
        'records',
        `${check.lines} in the log; ${ledger.recorded.size} answers, ${check.problems.length} amiss`,
      ],
      ['challenges', `${ledger.noted.size}: ${check.noted} recorded, ${check.summedUp} summed up in all`],
      ...growth.map(({ role, pid, secondQuarterBytes, lastQuarterBytes, bytesPerMinute }) => {
        const mebibytes = [secondQuarterBytes, lastQuarterBytes].map((bytes) => Math.round(bytes / MiB));
        return [
          `${role} ${pid}`,
          `${mebibytes.join(' then ')} MiB, ${(bytesPerMinute / MiB).toFixed(1)} a minute`,
        ];
      }),
    ]);

    assert.deepEqual(problems.slice(0, 5), []);
    assert.equal(answers + ledger.unanswered, ledger.sent);
    assert.deepEqual(check.problems.slice(0, 5), []);
    const ofPrograms = check.allowed.get(REAL_USER) ?? { pulls: 0, pushes: 0 };
    assert.ok(ofPrograms.pulls >= realDone.pulls && ofPrograms.pushes >= realDone.pushes, 'of real programs');
    assert.deepEqual(memory.changed(), [], 'no process ended or was started');
    assert.deepEqual(
      growth.filter(({ isFlat }) => !isFlat),
      [],
    );
    assert.ok(openFiles() <= filesBefore + 10, `${openFiles()} open files, ${filesBefore} before`);
    assert.match(await server.run(['audit', 'verify']), /the log is whole/);
    const verified = await server.cli(['registry', 'verify']);
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
  });
});

function noiseImage(sizes: readonly number[]): Promise<BuiltImage> {
  const layers = sizes.map((size, at) => [{ path: `file${at}`, data: randomBytes(size) }]);
  return buildImage({ config: { user: 'app' }, layers });
}

/** What the failures have in common, the most frequent first. */
function kindsOf(problems: readonly string[]): readonly (readonly [string, string])[] {
  const counts = new Map<string, number>();
  for (const problem of problems) {
    const kind = problem.replaceAll(/[\w-]*\d[\w-]*/g, '#').slice(0, 200);
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, 8);
  return sorted.map(([kind, count]) => [`- ${count} times`, kind]);
}

function printTable(rows: readonly (readonly string[])[]): void {
  for (const [name = '', value = ''] of rows) console.log(`        ${name.padEnd(28)} ${value}`);
}
