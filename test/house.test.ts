import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LOGGED_FIELDS } from '../src/telemetry/fields.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..');
const own = join('test', 'house.test.ts');
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const find = (pattern: string) =>
  globSync(pattern, { cwd: root })
    .filter((file) => file !== own)
    .sort();
const rooms = readdirSync(join(root, 'src'));

/** Comments may name what code may not do. */
const code = (file: string) =>
  read(file)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '');

interface Ban {
  readonly what: RegExp;
  readonly instead: string;
  /** Files in which it is the point, or that were there before the rule: the list may only shrink. */
  readonly except?: readonly string[];
}

const EVERYWHERE: readonly Ban[] = [
  { what: /\b(?:FIXME|TODO|XXX|HACK)\b/, instead: 'do it, or open an issue' },
  { what: /\b(?:it|describe|context)\.(?:only|skip)\(/, instead: 'run every test, or remove it' },
  { what: /\bdebugger\b/, instead: 'nothing' },
  {
    what: /rejectUnauthorized: false/,
    instead: 'a pinned CA',
    // The listener is a server: what its clients show is judged with each request, and refused with a sentence.
    except: ['test/support/docker-registry.ts', 'test/tls/open.test.ts', 'src/gateway/listener.ts'],
  },
  { what: /NODE_TLS_REJECT_UNAUTHORIZED\b(?=['"]?\] ?=| ?=[^=])/, instead: 'a pinned CA' },
];

const IN_SOURCES: readonly Ban[] = [
  {
    what: /\bDate\.now\(|\bperformance\.now\(|\bnew Date\(\)/,
    instead: 'the Clock',
    except: ['src/audit/lock.ts', 'src/base/clock.ts'],
  },
  { what: /\bMath\.random\(/, instead: 'the Random' },
  { what: /\bprocess\.env\b/, instead: 'options from config/', except: ['src/cli/main.ts'] },
  { what: /\bconsole\./, instead: 'the Logger' },
  { what: /\beval\(|\bnew Function\(/, instead: 'nothing' },
  { what: /(?<![.\w])exec(?:Sync)?\(|\bshell: true/, instead: 'spawn or execFile with a list of arguments' },
  { what: /\bimport\('[^']+'\)\./, instead: 'import type, which the rules of the house see' },
  { what: /\bcreateHash\(['"](?:md5|sha1)['"]/, instead: 'sha256' },
  {
    what: /\b(?:pki|x509)\.\w*verify|certificateFromPem|certificateFromAsn1/i,
    instead: 'node:crypto (S-05)',
  },
];

const IN_PURE_ROOMS: readonly Ban[] = [
  { what: /\bawait\b|\basync\b|\bPromise\b/, instead: 'values; waiting is for services' },
  { what: /\bsetTimeout\b|\bsetInterval\b|\bprocess\./, instead: 'values that are handed in' },
  { what: /\bDate\.(?:now|UTC)\b|\bMath\.random\b/, instead: 'nowMs, handed in' },
];

const IN_TESTS: readonly Ban[] = [
  {
    what: /\bsetTimeout\((?:resolve|r|done), *\d|\bsleep\(\d/,
    instead: 'a moved clock, or a condition that is polled with a deadline',
    except: [
      'test/gateway/connections.test.ts',
      'test/support/access-log.ts',
      'test/audit/disks.ts',
      'test/cluster/until.ts',
      'test/support/docker-registry.ts',
    ],
  },
];

function offenders(files: readonly string[], { what, except = [] }: Ban): readonly string[] {
  return files
    .filter((file) => !except.includes(file))
    .flatMap((file) =>
      code(file)
        .split('\n')
        .map((line) => ({ file, line })),
    )
    .filter(({ line }) => what.test(line))
    .map(({ file, line }) => `${file}: ${line.trim()}`);
}

describe('the house', () => {
  const sources = find('src/**/*.ts');
  const tests = find('test/**/*.ts').filter((file) => !file.startsWith(join('test', 'fixtures')));
  const all = [...sources, ...tests, ...find('bench/**/*.ts'), ...find('bin/*')];
  const pure = sources.filter((file) => /^src\/(?:oci|roles|policy|limits)\//.test(file));

  for (const [where, files, bans] of [
    ['nothing', all, EVERYWHERE],
    ['no source', sources, IN_SOURCES],
    ['no pure room', pure, IN_PURE_ROOMS],
    ['no test', tests, IN_TESTS],
  ] as const) {
    for (const ban of bans) {
      it(`holds in ${where} ${ban.what.source} (instead: ${ban.instead})`, () => {
        assert.deepEqual(offenders(files, ban), []);
      });
      if (!ban.except) continue;
      it(`lists for ${ban.what.source} no exception that needs none any more`, () => {
        const needless = ban.except?.filter(
          (file) =>
            existsSync(join(root, file)) &&
            !code(file)
              .split('\n')
              .some((line) => ban.what.test(line)),
        );
        assert.deepEqual(needless, []);
      });
    }
  }

  it('is entered by index files that begin by saying what the room is for', () => {
    for (const room of rooms) assert.match(read(`src/${room}/index.ts`), /^\/\*\*[\s\S]{30,}?\*\//, room);
  });

  it('has no room for this and that', () => {
    const names = ['utils', 'util', 'common', 'helpers', 'types', 'services', 'lib', 'shared', 'misc'];
    assert.deepEqual(
      rooms.filter((room) => names.includes(room)),
      [],
    );
  });

  it('has rules for every room, and they are those of CONTRIBUTING.md', () => {
    const rules = read('.dependency-cruiser.cjs');
    const papers = read('CONTRIBUTING.md');
    for (const room of rooms) {
      assert.match(rules, new RegExp(`^ {2}${room}: \\[`, 'm'), room);
      assert.match(papers, new RegExp(`^\\| \`${room}/\` \\|`, 'm'), room);
    }
  });

  it('mirrors src in test: each folder of tests belongs to a room', () => {
    const others = [
      'bin',
      'clients',
      'conformance',
      'contracts',
      'properties',
      'simulation',
      'support',
      'fixtures',
      'product',
    ];
    const folders = readdirSync(join(root, 'test'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    assert.deepEqual(
      folders.filter((name) => !rooms.includes(name) && !others.includes(name)),
      [],
    );
  });

  it('logs only fields that are on the list of telemetry', () => {
    const calls = /logger\??\.(?:debug|info|warn|error)\(\s*(?:'[^']*'|`[^`]*`|[\w.]+),\s*\{([^{}]*)\}/g;
    const unlisted = sources.flatMap((file) =>
      [...code(file).matchAll(calls)].flatMap((match) =>
        [...(match[1] ?? '').matchAll(/(?:^|,)\s*(\w+)(?=\s*[:,]|\s*$)/g)]
          .map((field) => field[1] ?? '')
          .filter((field) => !LOGGED_FIELDS.has(field))
          .map((field) => `${file}: ${field}`),
      ),
    );
    assert.deepEqual(unlisted, []);
  });
});

describe('the rules of the house', () => {
  const cruise = async (cwd: string, config: string) => {
    const cruiser = join(root, 'node_modules', 'dependency-cruiser', 'bin', 'dependency-cruise.mjs');
    const args = [cruiser, 'src', '--config', config, '--output-type', 'json'];
    const { stdout } = await run(process.execPath, args, { cwd, maxBuffer: 1 << 28 }).catch((error) => error);
    return JSON.parse(stdout);
  };

  it('are checked on every source file, types included', async () => {
    const { modules, summary } = await cruise(root, '.dependency-cruiser.cjs');
    const seen = modules
      .map((module: { source: string }) => module.source)
      .filter((file: string) => file.startsWith('src/'));
    assert.deepEqual(seen.sort(), find('src/**/*.ts'));
    const broken = summary.violations.map(
      ({ rule, from, to }: { rule: { name: string }; from: string; to: string }) =>
        `${rule.name}: ${from} -> ${to}`,
    );
    assert.deepEqual(broken, []);
  });

  it('are broken by a house that breaks them', async () => {
    const { summary } = await cruise(
      join(root, 'test', 'fixtures', 'house'),
      join(root, '.dependency-cruiser.cjs'),
    );
    const broken = summary.violations.map(
      ({ rule, from, to }: { rule: { name: string }; from: string; to: string }) =>
        `${rule.name}: ${from} -> ${to}`,
    );
    assert.deepEqual(broken.sort(), [
      'front-door: src/tls/index.ts -> src/base/secret.ts',
      'no-circular: src/base/index.ts -> src/base/secret.ts',
      'no-circular: src/oci/index.ts -> src/tls/index.ts',
      'oci-imports: src/oci/index.ts -> src/tls/index.ts',
      'only-store-speaks-sql: src/tls/index.ts -> node:sqlite',
      'pure-rooms: src/oci/index.ts -> fs',
      'tls-imports: src/tls/index.ts -> src/base/secret.ts',
      'tls-imports: src/tls/index.ts -> src/oci/index.ts',
    ]);
  });
});
