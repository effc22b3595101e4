import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CommandFailed } from '../client.ts';
import type { PlannedFile } from './plan.ts';

export type Applied = 'written' | 'unchanged';

/** Beside the file that was there before the first change; no client reads files of this name. */
const BACKUP = '.before-dockgate';

/** What the file is to hold, with what is there now. @throws {CommandFailed} that cannot be read. */
export function textOf(root: string, file: PlannedFile): { readonly before?: string; readonly text: string } {
  const path = join(root, file.path);
  try {
    const before = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
    return { ...(before === undefined ? {} : { before }), text: file.text(before) };
  } catch (error) {
    throw new CommandFailed(
      `${path}: ${error instanceof Error ? error.message : error}; mend or move it first`,
    );
  }
}

/** Writes the file (0644, as clients of every user read it) unless it is so already. @throws {CommandFailed} it cannot. */
export function apply(root: string, file: PlannedFile): Applied {
  const path = join(root, file.path);
  const { before, text } = textOf(root, file);
  if (before === text) return 'unchanged';
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    if (before !== undefined && !existsSync(path + BACKUP)) copyFileSync(path, path + BACKUP);
    // /etc/hosts is a mount in a container and cannot be replaced, only written to.
    if (file.path === '/etc/hosts') {
      writeFileSync(path, text);
      return 'written';
    }
    const temporary = `${path}.dockgate-new`;
    writeFileSync(temporary, text, { mode: 0o644 });
    chmodSync(temporary, 0o644);
    renameSync(temporary, path);
    return 'written';
  } catch (error) {
    throw new CommandFailed(`cannot write ${path}: ${error instanceof Error ? error.message : error}`);
  }
}
