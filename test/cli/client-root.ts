import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The files of a machine that pulls, in a folder of their own. */
export interface ClientRoot {
  /** For `--root`; made by the first file. */
  readonly root: string;
  /** A file beside it, for `--ca`. */
  readonly ca: string;
  put(path: string, text: string): void;
  read(path: string): string;
  delete(path: string): void;
  remove(): void;
}

/** @param pem what `--ca` holds. */
export function makeClientRoot(pem: string): ClientRoot {
  const folder = mkdtempSync(join(tmpdir(), 'dockgate-supply-'));
  const [root, ca] = [join(folder, 'root'), join(folder, 'ca.crt')];
  writeFileSync(ca, pem);
  return {
    root,
    ca,
    put(path, text) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    },
    read: (path) => readFileSync(join(root, path), 'utf8'),
    delete: (path) => rmSync(join(root, path)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
