import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plain, type Registry } from './suite.ts';

/** The suite of the released specification 1.1.1, which its authors publish as a Go test package and not as a module. */
const PROGRAM = 'oci-conformance-1.1.1';

const SPECS = 'OCI Distribution Conformance Tests ';

/** How many of its specs passed, and the names of the others; several specs may bear one name. */
export interface ReleasedResults {
  readonly passed: number;
  readonly failed: readonly string[];
  readonly skipped: readonly string[];
}

/** Skips the tests of this context, and says so, where the operator has not built the suite. */
export function skipWithoutReleasedSuite(hook: { skip(): void }): void {
  try {
    execFileSync('sh', ['-c', `command -v ${PROGRAM}`], { stdio: 'ignore' });
  } catch {
    console.log(`SKIPPED: there is no ${PROGRAM} on the PATH; docs/conformance.md says how it is built`);
    hook.skip();
  }
}

/** Runs its four workflows; what it takes from the environment alone (tags and digests of others) it leaves out. */
export async function runReleasedSuite({ host, caPath, account }: Registry): Promise<ReleasedResults> {
  const directory = mkdtempSync(join(tmpdir(), 'dockgate-conformance-'));
  try {
    await runProgram(directory, {
      OCI_ROOT_URL: `${caPath === undefined ? 'http' : 'https'}://${host}`,
      OCI_NAMESPACE: 'conformance/repo1',
      OCI_CROSSMOUNT_NAMESPACE: 'conformance/repo2',
      OCI_TEST_PULL: '1',
      OCI_TEST_PUSH: '1',
      OCI_TEST_CONTENT_DISCOVERY: '1',
      OCI_TEST_CONTENT_MANAGEMENT: '1',
      OCI_REPORT_DIR: directory,
      ...(caPath === undefined ? {} : { SSL_CERT_FILE: caPath }),
      ...(account === undefined ? {} : { OCI_USERNAME: account.username, OCI_PASSWORD: account.password }),
    });
    return readResults(readFileSync(join(directory, 'junit.xml'), 'utf8'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Its exit code says whether any spec failed, which the report says better. */
function runProgram(cwd: string, environment: NodeJS.ProcessEnv): Promise<void> {
  const env = { HOME: cwd, PATH: process.env.PATH, ...environment };
  const child = spawn(PROGRAM, [], { cwd, env, stdio: 'ignore' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      signal === null ? resolve() : reject(new Error(`${PROGRAM} ended by ${signal}, not ${code}`)),
    );
  });
}

function readResults(junit: string): ReleasedResults {
  const failed: string[] = [];
  const skipped: string[] = [];
  let passed = 0;
  for (const [, name = '', status] of junit.matchAll(/<testcase name="([^"]*)"[^>]* status="(\w+)"/g)) {
    // What is no spec is a step of the program's own, such as the writing of its report.
    if (!name.startsWith(SPECS)) continue;
    if (status === 'passed') passed += 1;
    else (status === 'skipped' ? skipped : failed).push(plain(name.slice(SPECS.length)));
  }
  return { passed, failed, skipped };
}
