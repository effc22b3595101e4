import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { parse as parseYaml } from 'yaml';
import { asRecord, listIn } from '../client.ts';

/** A way around the gateway, and how to close it. */
export interface Hole {
  readonly client: string;
  /** The file, or the address, where it was found. */
  readonly where: string;
  readonly text: string;
  readonly mend: string;
}

/** One look at a machine's files. */
export interface Machine {
  readonly root: string;
  /** The gateway, `reg.corp:8443`. */
  readonly host: string;
}

/** @returns `undefined` when there is none. */
export function readBelow({ root }: Machine, path: string): string | undefined {
  const full = join(root, path);
  return existsSync(full) ? readFileSync(full, 'utf8') : undefined;
}

export function namesBelow({ root }: Machine, path: string): readonly string[] {
  const full = join(root, path);
  return existsSync(full) ? readdirSync(full).sort() : [];
}

/** What the parser gives, or a hole of its own: what nobody can read, nobody has checked. */
export function parsed(
  client: string,
  path: string,
  text: string,
  parse: (text: string) => unknown,
): { readonly value: Record<string, unknown>; readonly holes: readonly Hole[] } {
  try {
    return { value: asRecord(parse(text)), holes: [] };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    const hole = {
      client,
      where: path,
      text: `cannot be read: ${reason}`,
      mend: `dockgate client-setup ${client} --apply`,
    };
    return { value: {}, holes: [hole] };
  }
}

export { asRecord, listIn, parseToml, parseYaml };
