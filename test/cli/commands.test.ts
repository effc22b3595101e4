import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dockgate, runCli, startDockgate } from '../support/dockgate.ts';
import { buildImage } from '../support/image.ts';
import { PLANTED_AWS_FILE } from '../support/planted.ts';
import { createPusher } from '../support/pusher.ts';
import { run as runProgram } from '../support/run.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'correct-horse-battery-9';
const POLICY = `policies:
  - name: strict
    match: ["prod/**"]
    rules: { secrets: block, scanned: { by: [inspector], within: 7d } }
`;

const DENIED = `sha256:${'ab'.repeat(32)}`;

/** One command of each kind, in an order in which each finds what it needs. */
const COMMANDS: readonly {
  readonly args: readonly string[];
  readonly input?: string;
  /** In what it prints for people, and in the JSON it prints with --json. */
  readonly text: RegExp;
  readonly json: RegExp;
  /** Run a second time with --json it would find its work done. */
  readonly undo?: readonly string[];
}[] = [
  { args: ['status'], text: /^dockgate \d.*\naccess log: writable/s, json: /"isLogWritable":true/ },
  {
    args: ['whoami'],
    text: /^local local\n$/,
    json: /^\{"kind":"local","name":"local","via":"socket","warnings":\[\]\}\n$/,
  },
  {
    args: ['user', 'add', 'carol', '--password-stdin'],
    input: `${PASSWORD}\n`,
    text: /^user carol added\n$/,
    json: /^\{"name":"carol"\}\n$/,
    undo: ['user', 'remove', 'carol'],
  },
  { args: ['user', 'list'], text: /^NAME +STATE +GROUPS +SINCE\n.*carol +active/s, json: /^\{"users":\[/ },
  {
    args: ['user', 'passwd', 'carol', '--password-stdin'],
    input: PASSWORD,
    text: /password of carol set/,
    json: /"carol"/,
  },
  { args: ['user', 'disable', 'carol'], text: /user carol disabled/, json: /"carol"/ },
  { args: ['user', 'enable', 'carol'], text: /user carol enabled/, json: /"carol"/ },
  { args: ['user', 'revoke', 'carol'], text: /no live token/, json: /"carol"/ },
  {
    args: ['group', 'add', 'crew'],
    text: /group crew added/,
    json: /"crew"/,
    undo: ['group', 'remove', 'crew'],
  },
  { args: ['group', 'join', 'crew', 'carol'], text: /carol is in crew/, json: /^\{/ },
  { args: ['group', 'list'], text: /crew +carol/, json: /"members":\["carol"\]/ },
  { args: ['group', 'leave', 'crew', 'carol'], text: /no longer in crew/, json: /^\{/ },
  {
    args: ['robot', 'add', 'ci', '--expires', '30d'],
    text: /^dgr_\S+\n$/,
    json: /^\{"name":"ci","secret":"dgr_[^"]+"\}\n$/,
    undo: ['robot', 'remove', 'ci'],
  },
  { args: ['robot', 'list'], text: /ci +active +20\d\d-/, json: /"expiresAt":"20/ },
  { args: ['robot', 'rotate', 'ci'], text: /^dgr_/, json: /"secret":"dgr_/ },
  { args: ['role', 'put', 'puller', 'pull', 'list'], text: /role puller set/, json: /"puller"/ },
  { args: ['role', 'list'], text: /puller +custom +pull, list/, json: /"isBuiltIn":false/ },
  {
    args: ['grant', 'add', '--role', 'puller', '--on', 'team/**', '--user', 'carol'],
    text: /^grant \w+ added\n$/,
    json: /^\{"id":"\w+"\}\n$/,
  },
  {
    args: ['grant', 'add', '--role', 'reader', '--on', '**', '--group', 'crew', '--until', '2036-01-01'],
    text: /grant \w+ added/,
    json: /"id"/,
  },
  {
    args: ['grant', 'list'],
    text: /^(?=[\s\S]*allow +puller +team\/\*\* +user carol)(?=[\s\S]*allow +reader +\*\* +group crew +2036-)/,
    json: /"subject":\{"kind":"user","name":"carol"\}/,
  },
  {
    args: ['access', 'who-can', 'push', 'team/app'],
    text: /user +alice +developer +\*\* +user alice/,
    json: /"principals":\[.*"name":"alice","because":\{/,
  },
  {
    args: ['access', 'review', '--days', '30', '--unused'],
    text: /user +carol +active +allow +puller +team\/\*\* +itself +20.* true/,
    json: /"held":\[.*"lastUsed"|"isUnused":true/,
  },
  {
    args: ['access', 'review', '--csv'],
    text: /^"kind","name",.*\n[\s\S]*"user","alice","active","allow","developer","'?\*\*","itself","pull list /,
    json: /"held"/,
  },
  {
    args: ['access', 'export'],
    text: /^version: 1\nusers:\n[\s\S]*grants:\n[\s\S]*on: team\/\*\*\n {4}to:\n {6}user: carol\n/,
    json: /^\{"version":1,"users":\[/,
  },
  {
    args: ['apply', '-f', '-', '--dry-run'],
    input: 'version: 1\nusers: [{ name: alice, disabled: true }, { name: dora }]\n',
    text: /^~ user alice: .*\n\+ user dora \(no password or secret yet\)\n2 changes, none made\n$/,
    json: /"isApplied":false/,
  },
  {
    args: ['grant', 'remove', '--role', 'puller', '--on', 'team/**', '--user', 'carol'],
    text: /grant removed/,
    json: /"isRemoved":true/,
    undo: ['grant', 'add', '--role', 'puller', '--on', 'team/**', '--user', 'carol'],
  },
  {
    args: ['role', 'remove', 'puller'],
    text: /role puller removed/,
    json: /puller/,
    undo: ['role', 'put', 'puller', 'pull'],
  },
  {
    args: ['policy', 'apply', '-f', '-'],
    input: POLICY,
    text: /^policies applied: strict\n$/,
    json: /^\{"applied":\["strict"\]\}\n$/,
  },
  {
    args: ['policy', 'list'],
    text: /default +enforce.*strict +enforce +prod\/\*\* +20s/s,
    json: /"name":"strict"/,
  },
  {
    args: ['policy', 'show', 'strict'],
    text: /^policies:\n {2}- name: strict\n/,
    json: /^\{"name":"strict"/,
  },
  {
    args: [
      'waiver',
      'add',
      'CVE-1',
      '--on',
      'team/**',
      '--reason',
      'not reachable',
      '--until',
      '2036-01-01T00:00:00Z',
    ],
    text: /waiver \w+ added/,
    json: /"id"/,
  },
  {
    args: ['waiver', 'list'],
    text: /CVE-1 +team\/\*\* +2036-01-01T00:00:00\.000Z +local/,
    json: /"author":"local"/,
  },
  { args: ['policy', 'history', 'strict'], text: /^VERSION.*\n1 .* local/, json: /"version":1/ },
  { args: ['policy', 'diff', 'strict', '1'], text: /^the two are equal\n$/, json: /"lines":\[\]/ },
  {
    args: ['policy', 'rollback', 'strict', '1'],
    text: /^policy strict is what it was in version 1\n$/,
    json: /"restored":1/,
  },
  {
    args: ['image', 'block', DENIED, '--reason', 'carries a worm'],
    text: /is refused everywhere from now on/,
    json: /"digest"/,
  },
  { args: ['image', 'blocked'], text: /local +carries a worm/, json: /"reason":"carries a worm"/ },
  {
    args: ['image', 'unblock', DENIED],
    text: /is judged by policies again/,
    json: /"digest"/,
    undo: ['image', 'block', DENIED, '--reason', 'carries a worm'],
  },
  {
    args: ['repository', 'list'],
    text: /^REPOSITORY\nprod\/bad\nteam\/app\n$/,
    json: /\["prod\/bad","team\/app"\]/,
  },
  { args: ['image', 'list', 'team/app'], text: /sha256:\w{64} +image +\d+ +1\n/, json: /"tags":\["1"\]/ },
  {
    args: ['image', 'show', 'team/app:1'],
    text: /^team\/app:1 is sha256:\w+ \(image\)\nverdict: allow/,
    json: /"outcome":"allow"/,
  },
  {
    args: ['image', 'show', 'prod/bad:1'],
    text: /verdict: block.*\n {2}blocked by \w+, secrets: /,
    json: /"outcome":"block"/,
  },
  { args: ['image', 'scan', 'team/app:1'], text: /scan of sha256:\w+ queued/, json: /"digest"/ },
  { args: ['explain', 'alice', 'pull', 'team/app:1'], text: /=> allowed\n$/, json: /^\{"isAllowed":true/ },
  {
    args: ['explain', 'alice', 'pull', 'prod/bad:1'],
    text: /NO {3}verdict: .*\n=> refused\n$/,
    json: /^\{"isAllowed":false/,
  },
  {
    args: ['explain', 'carol', 'push', 'team/app'],
    text: /NO {3}rights: .*--role developer/,
    json: /"isAllowed":false/,
  },
  {
    args: ['audit', 'search', '--user', 'alice', '--action', 'push', '--outcome', 'allowed', '--since', '1h'],
    text: /^# +TIME +KIND +OUTCOME.*\n\d+ +\S+Z +decision +allowed +201 +push +alice +\S+/,
    json: /"action":"push"/,
  },
  {
    args: ['audit', 'search', '--user', 'alice', '--by', 'action'],
    text: /^ACTION +COUNT\n(?:\S+ +\d+\n)*push +\d+/,
    json: /^\{"by":"action","counts":\[\{"value":"\w+","count":\d+\}/,
  },
  {
    args: ['audit', 'search', '--user', 'alice', '--facets'],
    text: /^BY +VALUE +COUNT\noutcome +allowed +\d+\n[\s\S]*user +alice +\d+/,
    json: /^\{"facets":\{"outcome":\[/,
  },
  { args: ['audit', 'verify'], text: /^the log is whole: \d+ records/, json: /"size":\d+/ },
  { args: ['doctor'], text: /^ok {4}environment/m, json: /^\[\{"name":/ },
];

describe('a command beside a running server', function () {
  this.timeout(120_000);
  let server: Dockgate;

  before(async () => {
    server = await startDockgate({ workers: 1 });
    await server.addUser('alice', PASSWORD, ['developer', '**']);
    const pusher = createPusher(server, `alice:${PASSWORD}`);
    await pusher.push('team/app', await buildImage({ layers: [[{ path: 'a', data: 'a' }]] }), '1');
    await pusher.push('prod/bad', await buildImage({ layers: [[PLANTED_AWS_FILE]] }), '1');
    await until(async () => {
      const shown = await Promise.all(
        ['team/app:1', 'prod/bad:1'].map((name) => server.cli(['image', 'show', name])),
      );
      return shown.every(({ stdout }) => stdout.includes('scan: inspector done'));
    }, 'both images are scanned');
    // The search index follows the log within a second.
    await until(
      async () =>
        (await server.cli(['audit', 'search', '--user', 'alice', '--action', 'push'])).stdout.includes('201'),
      'the pushes can be found',
    );
  });
  after(() => server.remove());

  for (const { args, input, text, json, undo } of COMMANDS) {
    it(`dockgate ${args.join(' ')}`, async () => {
      const plain = await server.cli(configured(args), input);
      assert.deepEqual([plain.code, plain.stderr], [0, '']);
      assert.match(plain.stdout, text);
      if (undo) await server.run(undo, input);
      const machine = await server.cli([...configured(args), '--json'], input);
      assert.deepEqual([machine.code, machine.stderr], [0, '']);
      assert.match(machine.stdout, json);
      JSON.parse(machine.stdout);
    });
  }

  it('a search over HTTPS: the worker asks the process that keeps the index', async () => {
    await server.addUser('olga', PASSWORD, ['auditor', '**']);
    const headers = { authorization: `Basic ${Buffer.from(`olga:${PASSWORD}`).toString('base64')}` };
    const found = await server.request('/api/v1/audit/records?user=alice&action=push&limit=1', { headers });
    assert.deepEqual(
      JSON.parse(String(found.body)).records.map((one: { record: { action: string } }) => one.record.action),
      ['push'],
    );
    const counted = await server.request('/api/v1/audit/counts?by=user', { headers });
    assert.match(String(counted.body), /"value":"alice"/);
  });

  /** The doctor reads the server's own configuration. */
  function configured(args: readonly string[]): readonly string[] {
    if (args[0] !== 'doctor') return args;
    const config = [
      '--config',
      join(server.directory, 'dockgate.yaml'),
      '--certs',
      join(server.directory, 'certs'),
    ];
    return [...args, ...config, '--port', String(server.port), '--ops-port', String(server.opsPort)];
  }

  describe('that is refused exits 1 and says why', () => {
    const refused: readonly (readonly [
      what: string,
      args: readonly string[],
      stderr: RegExp,
      input?: string,
    ])[] = [
      [
        'C-17: a weak password',
        ['user', 'add', 'dave', '--password-stdin'],
        /^dockgate: the password needs at least 10/,
        'short',
      ],
      ['an easy password', ['user', 'add', 'dave', '--password-stdin'], /easy to guess/, 'password123'],
      ['no password', ['user', 'add', 'dave', '--password-stdin'], /standard input held no password/, ''],
      [
        'a name that is taken',
        ['user', 'add', 'alice', '--password-stdin'],
        /there is a user named "?alice"? already/,
        PASSWORD,
      ],
      ['a malformed name', ['user', 'add', 'A/b', '--password-stdin'], /name: lower-case letters/, PASSWORD],
      ['an unknown user', ['user', 'disable', 'nobody'], /there is no user nobody/],
      ['W-07: the last admin', ['user', 'disable', 'admin'], /no user who may administer/],
      ['W-07: the last admin removed', ['user', 'remove', 'admin'], /no user who may administer/],
      [
        "W-07: the last admin's grant",
        ['grant', 'remove', '--role', 'admin', '--on', '**', '--user', 'admin'],
        /no user who may administer/,
      ],
      [
        'an unknown role',
        ['grant', 'add', '--role', 'king', '--on', '**', '--user', 'alice'],
        /no role named "?king/,
      ],
      [
        'a malformed pattern',
        ['grant', 'add', '--role', 'reader', '--on', 'team**', '--user', 'alice'],
        /^dockgate: on: /,
      ],
      [
        'a grant that is not there',
        ['grant', 'remove', '--role', 'reader', '--on', 'x/**', '--user', 'alice'],
        /no such grant/,
      ],
      ['a built-in role', ['role', 'put', 'reader', 'push'], /is built in/],
      ['an unknown action', ['role', 'put', 'mine', 'fly'], /there is no such action/],
      ['an image that is not there', ['image', 'show', 'team/app:2'], /team\/app has no tag 2/],
      ['a policy that is not there', ['policy', 'show', 'nothing'], /there is no policy nothing/],
      [
        'an unreadable file',
        ['policy', 'apply', '-f', '/nothing/here.yaml'],
        /cannot read \/nothing\/here\.yaml: ENOENT/,
      ],
      [
        'broken YAML',
        ['policy', 'apply', '-f', '-'],
        /-: .* at line 3, column \d+/s,
        'policies:\n  - name: [x\n',
      ],
      [
        'YAML that is no policy file',
        ['policy', 'apply', '-f', '-'],
        /must begin with `policies:`/,
        'just text',
      ],
      ['an empty file', ['policy', 'apply', '-f', '-'], /must begin with `policies:`/, ''],
      [
        'an unknown key of a policy',
        ['policy', 'apply', '-f', '-'],
        /policies\[0\]\.rules: unknown key "secret"; allowed: .*secrets/,
        'policies:\n  - { name: x, match: ["**"], rules: { secret: block } }\n',
      ],
      ['an alias that stands for nothing', ['policy', 'apply', '-f', '-'], /-: .*alias/i, 'policies: *x\n'],
      ['an unknown principal', ['explain', 'nobody', 'pull', 'team/app'], /no user or robot nobody/],
      ['a count that is none', ['audit', 'search', '--limit', 'all'], /^dockgate: limit: /],
      ['a robot without a life', ['robot', 'add', 'x', '--expires', '0d'], /expires: a life of no length/],
      [
        'a waiver that is over',
        ['waiver', 'add', 'X', '--on', '**', '--reason', 'because', '--until', '2020-01-01'],
        /endsAt: lies in the past/,
      ],
      [
        'a waiver for a finding and a rule',
        ['waiver', 'add', 'X', '--rule', 'age', '--on', '**', '--reason', 'because', '--until', '2036-01-01'],
        /give either the id of a finding or --rule RULE/,
      ],
      [
        'a waiver for what no waiver excuses',
        ['waiver', 'add', '--rule', 'malware', '--on', '**', '--reason', 'because', '--until', '2036-01-01'],
        /is no rule that can be waived/,
      ],
      ['a version that is none', ['policy', 'diff', 'strict', '99'], /has no version 99/],
      [
        'the approval of a waiver that is none',
        ['waiver', 'approve', 'nothing'],
        /there is no waiver nothing/,
      ],
      [
        'a waiver on nothing',
        ['waiver', 'add', 'X', '--reason', 'because', '--until', '2036-01-01'],
        /either digest or on/,
      ],
    ];
    for (const [what, args, stderr, input] of refused) {
      it(what, async () => {
        const result = await server.cli(args, input);
        assert.deepEqual([result.code, result.stdout], [1, ''], result.stderr);
        assert.match(result.stderr, stderr);
        assert.doesNotMatch(result.stderr, /\n {4}at /, 'no stack');
        if (input) assert.equal(result.stderr.includes(input.trim()) && input === PASSWORD, false);
      });
    }
  });

  describe('that is not understood exits 2 and says how to', () => {
    for (const args of [
      [],
      ['fly'],
      ['user'],
      ['user', 'fly'],
      ['user', 'add'],
      ['user', 'add', 'x'],
      ['user', 'list', '--loud'],
      ['grant', 'add', '--role', 'reader', '--on', '**'],
      ['grant', 'add', '--role', 'reader', '--on', '**', '--user', 'a', '--robot', 'b'],
      ['grant', 'add', '--role', 'reader', '--on', '**', '--user', 'alice', '--until', 'tomorrow'],
      ['image', 'show', 'team/app'],
      ['audit', 'search', '--since', 'yesterday'],
      ['audit', 'search', '--by', 'moon'],
      ['audit', 'search', '--by', 'day', '--follow'],
      ['audit', 'search', '--facets', '--decision', 'x'],
      ['policy', 'apply'],
      ['completion', 'tcsh'],
      ['login', 'http://localhost', '--user', 'x', '--password-stdin'],
    ]) {
      it(`dockgate ${args.join(' ')}`, async () => {
        const { code, stdout, stderr } = await server.cli(args, '');
        assert.deepEqual([code, stdout], [2, '']);
        assert.match(stderr, /--help|Usage:/);
        assert.doesNotMatch(stderr, /\n {4}at /);
      });
    }
  });

  describe('with --help', () => {
    it('teaches every command, its options and an example, and exits 0', async () => {
      const { code, stdout } = await server.cli(['--help']);
      assert.equal(code, 0);
      for (const word of [
        'user',
        'group',
        'robot',
        'role',
        'grant',
        'policy',
        'image',
        'waiver',
        'audit',
        'explain',
        'doctor',
        'status',
        'login',
      ]) {
        assert.match(stdout, new RegExp(`^ {2}${word}\\b`, 'm'));
      }
      assert.match(stdout, /First steps[\s\S]*grant add --role developer/);
      const grant = await server.cli(['grant', 'add', '--help']);
      assert.equal(grant.code, 0);
      assert.match(grant.stdout, /Example:\n {2}dockgate grant add/);
      assert.equal((await server.cli(['--version'])).stdout.trim(), packageVersion());
    });
  });

  describe('whose words come from outside', () => {
    it('A-02: prints what a terminal could act on as its escape', async () => {
      await server.request('/token?service=dockgate', {
        basic: 'alice:\u001b]0;pwn\u0007\u202e-wrong-password',
      });
      await server
        .request('/v2/', { basic: `alice:${PASSWORD}`, headers: { 'user-agent': 'x\u001b[2Jy' } })
        .catch(() => {});
      const { stdout } = await server.cli(['audit', 'search', '--limit', '20']);
      const machine = await server.cli(['audit', 'search', '--limit', '20', '--json']);
      for (const text of [stdout, machine.stdout]) {
        assert.equal(
          [...text].every((character) => character === '\n' || character >= ' '),
          true,
        );
      }
    });
  });

  describe('over TLS with a stored sign-in', () => {
    let home: string;
    const remote = (args: readonly string[], input?: string, environment: Record<string, string> = {}) =>
      runCli(args, {
        cwd: home,
        ...(input === undefined ? {} : { input }),
        environment: { HOME: home, ...environment },
      });
    const login = (more: readonly string[] = [], password = PASSWORD) =>
      remote(
        ['login', server.url, '--user', 'alice', '--password-stdin', '--ca', server.caPath, ...more],
        password,
      );
    const stored = () => join(home, '.config/dockgate/sign-in.json');

    beforeEach(async () => {
      home = join(server.directory, `home-${Math.random().toString(36).slice(2)}`);
      await mkdir(home);
    });

    it('has nothing to speak to before login, and says what to do', async () => {
      const { code, stderr } = await remote(['whoami']);
      assert.equal(code, 1);
      assert.match(stderr, /there is no dockgate data in .*--data DIR.*dockgate login URL/);
    });

    it('signs in, speaks to the server, signs out there and here', async () => {
      const signedIn = await login();
      assert.deepEqual([signedIn.code, signedIn.stdout], [0, `signed in to ${server.url} as alice\n`]);
      assert.equal(statSync(stored()).mode & 0o777, 0o600);
      const kept = readFileSync(stored(), 'utf8');
      assert.equal(kept.includes(PASSWORD), false);
      assert.equal((await remote(['whoami'])).stdout, 'user alice\n');
      const list = await remote(['user', 'list']);
      assert.equal(list.code, 1);
      assert.match(list.stderr, /alice has no grant for users\.manage/);
      assert.equal((await remote(['logout'])).stdout, 'signed out\n');
      writeFileSync(stored(), kept);
      const late = await remote(['whoami']);
      assert.equal(late.code, 1);
      assert.match(late.stderr, /is over: sign in again with `dockgate login/);
    });

    it('lets an admin administer, and hears the sentences of the process that writes', async () => {
      const { adminPassword } = server;
      const args = ['login', server.url, '--user', 'admin', '--password-stdin', '--ca', server.caPath];
      assert.equal((await remote(args, adminPassword)).code, 0);
      assert.match((await remote(['user', 'list'])).stdout, /alice +active/);
      for (const [command, told] of [
        [['user', 'disable', 'nobody'], /there is no user nobody/],
        [['group', 'join', 'nothing', 'alice'], /there is no group named "?nothing/],
        [['user', 'disable', 'admin'], /no user who may administer/],
        [['user', 'remove', 'admin'], /no user who may administer/],
      ] as const) {
        const { code, stderr } = await remote(command);
        assert.equal(code, 1);
        assert.match(stderr, told);
      }
      const answer = await server.request('/api/v1/groups/nothing/members/alice', {
        method: 'PUT',
        basic: `admin:${adminPassword}`,
      });
      assert.deepEqual(
        [answer.status, answer.json().error],
        [404, { code: 'DG_NAME_UNKNOWN', message: 'there is no group named "nothing"' }],
      );
    });

    it('prints JSON where asked', async () => {
      assert.deepEqual(JSON.parse((await login(['--json'])).stdout), { server: server.url, user: 'alice' });
      assert.deepEqual(JSON.parse((await remote(['logout', '--json'])).stdout), {
        isSignedOut: true,
        isEndedOnServer: true,
      });
    });

    it('is refused with a wrong password, and keeps nothing', async () => {
      const { code, stderr } = await login([], 'wrong-horse-battery-9');
      assert.equal(code, 1);
      assert.match(stderr, /^dockgate: name, password or token not accepted/);
      assert.throws(() => statSync(stored()));
    });

    it('leaves a record of a wrong password, which says as whom', async () => {
      await login([], 'wrong-horse-battery-9');
      await until(async () => {
        const { stdout } = await server.cli(['audit', 'search', '--reason', 'sign-in.password']);
        return /refused +401 .* sign-in\.password, as alice$/m.test(stdout);
      }, 'the failed sign-in is found');
    });

    it('refuses a server that it cannot trust, whatever the environment says, and sends it no password', async () => {
      const args = ['login', server.url, '--user', 'alice', '--password-stdin'];
      for (const environment of [{}, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }]) {
        const { code, stderr } = await remote(args, PASSWORD, environment);
        assert.equal(code, 1);
        assert.match(stderr, /cannot reach https:\/\/localhost:\d+: .*name its CA with --ca/);
      }
    });

    it('says that a CA cannot be read, and that nothing answers', async () => {
      const noCa = await remote(
        ['login', server.url, '--user', 'x', '--password-stdin', '--ca', 'nothing.crt'],
        'x',
      );
      assert.match(noCa.stderr, /cannot read nothing\.crt/);
      const noServer = await remote(['login', 'https://127.0.0.1:1', '--user', 'x', '--password-stdin'], 'x');
      assert.deepEqual([noCa.code, noServer.code], [1, 1]);
      assert.match(noServer.stderr, /cannot reach https:\/\/127\.0\.0\.1:1/);
    });

    it('C-10: signs no robot in', async () => {
      await server.cli(['robot', 'remove', 'cli-robot']);
      const secret = (await server.run(['robot', 'add', 'cli-robot'])).trim();
      const args = ['login', server.url, '--user', 'cli-robot', '--password-stdin', '--ca', server.caPath];
      const { code, stderr } = await remote(args, secret);
      assert.equal(code, 1);
      assert.match(stderr, /only people sign in this way/);
    });

    it('says that the stored sign-in is damaged', async () => {
      await login();
      for (const text of ['{', '{}', '{"server":"x","user":1,"refreshToken":"y"}', '[]', 'null']) {
        writeFileSync(stored(), text);
        const { code, stderr } = await remote(['whoami']);
        assert.equal(code, 1);
        assert.match(stderr, /sign-in\.json is damaged: sign in again/);
      }
    });

    it('ends when an admin revokes the user', async () => {
      await login();
      await server.run(['user', 'revoke', 'alice']);
      assert.equal((await remote(['whoami'])).code, 1);
    });
  });

  for (const shell of ['bash', 'zsh', 'fish']) {
    it(`prints completions for ${shell}`, async () => {
      const { code, stdout } = await server.cli(['completion', shell]);
      assert.equal(code, 0);
      for (const word of ['user', 'grant', 'verify', 'passwd'])
        assert.match(stdout, new RegExp(`\\b${word}\\b`));
      if (shell === 'bash') {
        const file = join(server.directory, 'completion.bash');
        writeFileSync(file, stdout);
        assert.deepEqual(await runProgram('bash', ['-n', file]), { code: 0, output: '' });
        const script = `. ${file}; COMP_WORDS=(dockgate user re) COMP_CWORD=2; _dockgate dockgate re user; echo "\${COMPREPLY[@]}"`;
        assert.equal((await runProgram('bash', ['-c', script])).output.trim(), 'revoke remove');
      }
    });
  }
});

function packageVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}
