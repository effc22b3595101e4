import assert from 'node:assert/strict';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { type Dockgate, startDockgate } from '../support/dockgate.ts';
import { buildImage, buildIndex } from '../support/image.ts';
import { createStraightPusher } from '../support/straight-push.ts';
import { until } from '../support/until.ts';

const summaryOf = (stdout: string) => stdout.trim().split('\n').at(-1);

describe('an import of what a registry held before', () => {
  let registry: DockerRegistry;
  let dockgate: Dockgate;

  before(async function () {
    this.timeout(120_000);
    registry = await startDockerRegistry();
    const straight = createStraightPusher(registry.url);
    const image = await buildImage({ config: { architecture: 'amd64' } });
    const other = await buildImage({ config: { architecture: 'arm64' } });
    await straight.push('team/app', buildIndex([image, other]), '1');
    await straight.push('team/app', image, '2');
    await straight.push('base/alpine', await buildImage({ config: { user: '1000' } }), '3.20');
    dockgate = await startDockgate({
      config: `upstreams:\n  - { url: "${registry.url}" }\n`,
      workers: 1,
    });
  });
  after(async () => {
    await dockgate?.remove();
    await registry?.stop();
  });

  it('reads a repository once, children of indexes too, and says what is new and what is known', async () => {
    const first = await dockgate.cli(['image', 'import', 'team/app']);
    assert.deepEqual([first.code, first.stderr], [0, '']);
    assert.equal(summaryOf(first.stdout), '1 repositories with 2 tags: 3 manifests new, 1 known, 0 failed');
    const again = await dockgate.cli(['image', 'import', 'team/app', '--json']);
    const lines = again.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(lines, [
      { repository: 'team/app', tags: 2, new: 0, known: 4, failures: [] },
      { summary: { repositories: 1, tags: 2, new: 0, known: 4, failed: 0 } },
    ]);
    const { records } = JSON.parse(
      await dockgate.run(['audit', 'search', '--action', 'admin.image.import', '--json']),
    );
    assert.equal(records.length, 2);
    assert.equal(records[0].record.repository, 'team/app');
  });

  it('has each image scanned before anybody pulls it', async () => {
    const scanned = async (reference: string) => {
      const shown = await dockgate.cli(['image', 'show', `team/app:${reference}`, '--json']);
      return shown.code === 0 && JSON.parse(shown.stdout).scans.length > 0;
    };
    await until(() => scanned('2'), 'the image is scanned');
  });

  it('takes all that the registry lists below a prefix, or names of a file', async () => {
    const all = await dockgate.cli(['image', 'import', '--json']);
    assert.equal(all.code, 0, all.stderr);
    assert.deepEqual(JSON.parse(summaryOf(all.stdout) ?? '').summary.repositories, 2);
    const below = await dockgate.cli(['image', 'import', 'base/']);
    assert.equal(summaryOf(below.stdout), '1 repositories with 1 tags: 0 manifests new, 1 known, 0 failed');
    const listed = await dockgate.cli(
      ['image', 'import', '--from', '-', '--json'],
      '# ours\nbase/alpine # the base\n\nteam/app\n',
    );
    assert.equal(JSON.parse(summaryOf(listed.stdout) ?? '').summary.repositories, 2);
  });

  it('names what failed, goes on with the rest, and exits with 1', async () => {
    const ran = await dockgate.cli(['image', 'import', 'team/nothing', 'base/alpine']);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /^team\/nothing: the registry knows no such repository\n/);
    assert.match(ran.stderr, /not imported: team\/nothing; run it again/);
    assert.equal(summaryOf(ran.stdout), '2 repositories with 1 tags: 0 manifests new, 1 known, 1 failed');
  });

  it('says that nothing is listed below a prefix, and that a file holds no name', async () => {
    const nothing = await dockgate.cli(['image', 'import', 'nothing/']);
    assert.equal(nothing.code, 1);
    assert.match(nothing.stderr, /no upstream lists a repository below nothing\//);
    const empty = await dockgate.cli(['image', 'import', '--from', '-'], '# none\n');
    assert.equal(empty.code, 2);
    const absent = await dockgate.cli(['image', 'import', '--from', 'nowhere.txt']);
    assert.equal(absent.code, 1);
    assert.match(absent.stderr, /cannot read nowhere\.txt/);
  });
});
