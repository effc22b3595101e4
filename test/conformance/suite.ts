import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { goProgram, skipWithoutGoProgram } from '../support/go-program.ts';

/** The conformance program of the distribution specification, newest version. */
const NAME = 'oci-conformance';

/** Where the program's results are kept on request: `DOCKGATE_CONFORMANCE_RESULTS=DIR`. */
const KEEP = process.env.DOCKGATE_CONFORMANCE_RESULTS;

export interface Registry {
  /** `localhost:5000` */
  readonly host: string;
  /** PEM file of the CA; absent: plain HTTP. */
  readonly caPath?: string;
  readonly account?: { readonly username: string; readonly password: string };
}

/** One row of the JUnit report. Several rows may bear one name. */
export interface Row {
  /** Without the words before the first slash: `sha256 blobs/mount/blob-mount`. */
  readonly name: string;
  readonly status: 'passed' | 'failure' | 'skipped' | 'error';
  /** Why it failed or was skipped. */
  readonly output: string;
}

export interface Results {
  readonly rows: readonly Row[];
  /** The program's own summary: `Blob push` → `Pass`, `FAIL`, `Skip` or `Disabled`. */
  readonly apis: Readonly<Record<string, string>>;
  readonly data: Readonly<Record<string, string>>;
}

/** Skips the tests of this context, and says so, where the program is not. */
export function skipWithoutSuite(hook: { skip(): void }): void {
  skipWithoutGoProgram(hook, NAME);
}

/**
 * Runs every test of the specification's newest text: all APIs and all kinds of data but sparse manifests, which a
 * registry may refuse. Each request gets a token of its own, as with real clients.
 *
 * @param title names the folder of the results that are kept.
 */
export async function runSuite(title: string, registry: Registry): Promise<Results> {
  const directory = mkdtempSync(join(tmpdir(), 'dockgate-conformance-'));
  try {
    const results = KEEP === undefined ? directory : join(KEEP, title);
    await runProgram(directory, {
      OCI_VERSION: 'dev',
      OCI_LOG: 'error',
      OCI_CACHE_AUTH: 'false',
      OCI_RESULTS_DIR: results,
      OCI_REPO1: 'conformance/repo1',
      OCI_REPO2: 'conformance/repo2',
      OCI_REGISTRY: registry.host,
      OCI_TLS: registry.caPath === undefined ? 'disabled' : 'enabled',
      ...(registry.caPath === undefined ? {} : { SSL_CERT_FILE: registry.caPath }),
      ...(registry.account === undefined
        ? {}
        : { OCI_USERNAME: registry.account.username, OCI_PASSWORD: registry.account.password }),
    });
    const summary = parse(readFileSync(join(results, 'results.yaml'), 'utf8'));
    return {
      rows: readRows(readFileSync(join(results, 'junit.xml'), 'utf8')),
      apis: summary.apis,
      data: summary.data,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Its exit code says whether any test failed, which the rows say better. */
function runProgram(cwd: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const child = spawn(goProgram(NAME), [], { cwd, env: { HOME: cwd, ...environment }, stdio: 'ignore' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      signal === null
        ? resolve()
        : reject(new Error(`the conformance program ended by ${signal}, not ${code}`)),
    );
  });
}

/** The program writes each row as one element with these attributes, and its reasons as `system-out`. */
function readRows(junit: string): readonly Row[] {
  const rows: Row[] = [];
  for (const [, attributes = '', body = ''] of junit.matchAll(/<testcase ([^>]*)>(.*?)<\/testcase>/gs)) {
    const [, name = ''] = / ?name="[^"/]*\/([^"]*)"/.exec(attributes) ?? [];
    const [, status = ''] = /status="(\w+)"/.exec(attributes) ?? [];
    const [, output = ''] = /<system-out>(.*?)<\/system-out>/s.exec(body) ?? [];
    if (!isStatus(status)) throw new Error(`a row of the report has the status "${status}": ${attributes}`);
    rows.push({ name: plain(name), status, output: plain(output) });
  }
  return rows;
}

function isStatus(text: string): text is Row['status'] {
  return ['passed', 'failure', 'skipped', 'error'].includes(text);
}

/** @returns the text of an attribute or element, its character references resolved. */
export function plain(xml: string): string {
  return xml
    .replace(/&#(\d+);|&#x([\da-f]+);/gi, (_, decimal, hex) =>
      String.fromCodePoint(decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal)),
    )
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');
}

/** The rows that failed, one line each, to be compared and to be read when it is not as expected. */
export function failuresOf(rows: readonly Row[]): readonly string[] {
  return rows
    .filter(({ status }) => status === 'failure' || status === 'error')
    .map(({ name, output }) => `${name}: ${output.slice(0, 300)}`);
}

export function namesOf(rows: readonly Row[], status: Row['status']): readonly string[] {
  return rows.filter((row) => row.status === status).map(({ name }) => name);
}
