import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const setup = join(import.meta.dirname, '..', 'setup.sh');
/** Every command that the script looks for, as it says itself. */
const NEEDED: readonly string[] = [...readFileSync(setup, 'utf8').matchAll(/^need (\S+) \S+$/gm)].map(
  (match) => match[1] ?? '',
);
const TOOLS = ['sh', 'cat', 'mktemp', 'rm', 'tail', 'printf'];

/** Every command is one of ours, so nothing is installed or written outside of the temporary folder. */
describe('test/setup.sh', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dockgate-setup-'));
    for (const tool of TOOLS) {
      const found = ['/bin', '/usr/bin'].map((path) => join(path, tool)).find((path) => existsSync(path));
      if (found) symlinkSync(found, join(folder, tool));
    }
    script('id', 'echo 1000');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const script = (name: string, body: string) => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  const log = () => (existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8') : '');
  /** Records what it was asked to do as root, reads what it is piped, and does nothing of it. */
  const sudo = (status: string) => script('sudo', `echo "$*" >> ${folder}/log\ncat >/dev/null\n${status}`);
  const run = () => {
    // The script adds the system's own folders for servers; there is nothing in them that it needs here.
    const source = readFileSync(setup, 'utf8').replace('PATH="$PATH:/usr/sbin:/sbin"', '');
    const { stderr, stdout, status } = spawnSync('/bin/sh', ['-s'], {
      input: source,
      env: { PATH: folder, TMPDIR: folder },
      encoding: 'utf8',
    });
    return { output: stdout + stderr, status };
  };

  it('says nothing and asks for nothing when all is there', () => {
    for (const name of NEEDED) script(name, '');
    sudo('exit 0');
    assert.deepEqual(run(), { output: '', status: 0 });
    assert.equal(log(), '');
  });

  it('installs only what is missing, through sudo when it is not root', () => {
    for (const name of NEEDED.filter((one) => one !== 'skopeo' && one !== 'htpasswd')) script(name, '');
    script('apt-get', 'exit 0');
    sudo('exit 0');
    assert.equal(run().status, 0);
    assert.match(log(), /apt-get .*install --no-install-recommends skopeo apache2-utils$/m);
    assert.doesNotMatch(log(), /update/);
  });

  it('brings the lists up to date when the first try fails, and tells when the second does', () => {
    script('apt-get', 'exit 0');
    sudo('case "$*" in *install*) exit 1 ;; esac');
    const { output, status } = run();
    assert.notEqual(status, 0);
    assert.match(output, /could not install: docker-registry redis-server/);
    assert.match(log(), /apt-get .* update$/m);
    assert.equal(log().match(/ install /g)?.length, 2);
  });

  it('keeps the services of what it installs from starting, and takes that back', () => {
    script('apt-get', 'exit 0');
    sudo('exit 0');
    run();
    if (existsSync('/usr/sbin/policy-rc.d')) assert.doesNotMatch(log(), /policy-rc\.d/);
    else assert.match(log(), /^tee \/usr\/sbin\/policy-rc\.d[\s\S]*^rm -f \/usr\/sbin\/policy-rc\.d$/m);
  });

  it('says what to do without apt-get, and without root', () => {
    const without = run();
    assert.equal(without.status, 1);
    assert.match(without.output, /missing: docker-registry .*apt-get, which is not here/);
    script('apt-get', 'exit 0');
    const user = run();
    assert.equal(user.status, 1);
    assert.match(user.output, /Run as root: apt-get install --no-install-recommends docker-registry/);
  });
});
