import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Inspector } from '../../../../src/scanners/index.ts';
import type { ImageEntry } from '../../../support/image.ts';
import { scanFiles } from '../scanning.ts';
import { cleanTrees } from './clean-trees.ts';
import { spelledSecrets } from './spellings.ts';

const MODULES = join(import.meta.dirname, '../../../../node_modules');
/** Packages of our own lockfile: the same versions in every run, and none differs between machines. */
const PACKAGES = [
  ...[
    'express',
    'zod',
    'yaml',
    'ioredis',
    'pg',
    'kysely',
    'undici',
    'jose',
    'mocha',
    'fast-check',
    'oidc-provider',
  ],
  ...['openid-client', 'ldapts', 'node-forge', 'http-proxy', 'otplib'],
];

export interface KindRow {
  readonly kind: string;
  readonly planted: number;
  readonly found: number;
  /** Files of clean trees that are said to hold one. */
  readonly falseAlarms: number;
}

export interface Accuracy {
  readonly rows: readonly KindRow[];
  readonly trees: number;
  readonly files: number;
  readonly missed: readonly string[];
  readonly falseAlarms: readonly string[];
  readonly precision: number;
  readonly recall: number;
}

/** Scans everything that is clean and everything that is not, and counts. */
export async function measureAccuracy(inspector: Inspector): Promise<Accuracy> {
  const trees = new Map([...cleanTrees(), ...(await packageTrees())]);
  const alarms: { readonly kind: string; readonly at: string }[] = [];
  let files = 0;
  for (const [name, entries] of trees) {
    files += entries.length;
    for (const { kind, location } of await secretsIn(inspector, entries))
      alarms.push({ kind, at: `${name}: ${kind} ${location}` });
  }
  const spelled = spelledSecrets();
  const found = new Set(
    (
      await secretsIn(
        inspector,
        spelled.map(({ file }) => file),
      )
    ).map(({ location }) => location),
  );
  const isFound = ({ file }: (typeof spelled)[number]) => found.has(`/${file.path}`);
  const kinds = [
    ...new Set([...spelled.map(({ kind }) => kind), ...alarms.map(({ kind }) => kind)]),
  ].toSorted();
  const rows = kinds.map((kind) => {
    const own = spelled.filter((one) => one.kind === kind);
    const falseAlarms = alarms.filter((one) => one.kind === kind).length;
    return { kind, planted: own.length, found: own.filter(isFound).length, falseAlarms };
  });
  const hits = spelled.filter(isFound).length;
  return {
    rows,
    trees: trees.size,
    files,
    missed: spelled.filter((one) => !isFound(one)).map(({ kind, spelling }) => `${kind}: ${spelling}`),
    falseAlarms: alarms.map(({ at }) => at),
    precision: hits / (hits + alarms.length),
    recall: hits / spelled.length,
  };
}

async function secretsIn(inspector: Inspector, entries: readonly ImageEntry[]) {
  const report = await scanFiles(inspector, entries);
  if (report.scan.status !== 'done') throw new Error(`not scanned: ${report.scan.reason}`);
  return report.findings
    .filter(({ kind }) => kind === 'secret')
    .map(({ id, location }) => ({ kind: id, location: location ?? '' }));
}

async function packageTrees(): Promise<ReadonlyMap<string, readonly ImageEntry[]>> {
  const trees = new Map<string, readonly ImageEntry[]>();
  for (const name of PACKAGES) {
    const folder = join(MODULES, name);
    const entries: ImageEntry[] = [];
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      entries.push({
        path: `app/node_modules/${name}${path.slice(folder.length)}`,
        data: await readFile(path),
      });
    }
    trees.set(`the package ${name}`, entries);
  }
  return trees;
}

/** The table that docs/scanners.md keeps. */
export function printAccuracy({ rows, trees, files, precision, recall }: Accuracy): string {
  const planted = rows.reduce((sum, row) => sum + row.planted, 0);
  return [
    `${planted} planted secrets of ${rows.length} kinds, and ${trees} clean trees (${files} files): precision`,
    `${precision.toFixed(3)}, recall ${recall.toFixed(3)}.`,
    '',
    '| kind | planted | found | false alarms |',
    '| --- | ---: | ---: | ---: |',
    ...rows.map((row) => `| \`${row.kind}\` | ${row.planted} | ${row.found} | ${row.falseAlarms} |`),
  ].join('\n');
}
