import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/** System calls after which a file system may be in another state than before, and those that make it last. */
export const TRACED =
  'openat,close,write,pwrite64,writev,pwritev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,' +
  'unlinkat,rmdir,mkdir,mkdirat,ftruncate,truncate';

/** One system call as strace prints it: where in the trace it began and ended. */
export interface SystemCall {
  readonly name: string;
  /** As printed; strings are `\xNN`. */
  readonly given: string;
  /** What it returned; `undefined` while it has not: only its beginning is known then. */
  readonly returned: number | undefined;
}

/** What happens at one line of a trace. */
export interface TraceStep {
  readonly thread: string;
  readonly moment: 'begin' | 'end' | 'both';
  readonly call: SystemCall;
}

/** Reads a trace that `strace -f -xx -e trace=TRACED -o FILE` wrote. */
export async function readTrace(path: string): Promise<readonly TraceStep[]> {
  const steps: TraceStep[] = [];
  const open = new Map<string, string>();
  for await (const line of createInterface({ input: createReadStream(path) })) {
    const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const begun = /^(.*) <unfinished \.\.\.>$/.exec(text)?.[1];
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1];
    if (begun !== undefined) {
      open.set(thread, begun);
      const call = parseCall(begun);
      if (call) steps.push({ thread, moment: 'begin', call });
    } else {
      const call = parseCall(resumed === undefined ? text : `${open.get(thread) ?? ''}${resumed}`);
      open.delete(thread);
      if (call) steps.push({ thread, moment: resumed === undefined ? 'both' : 'end', call });
    }
  }
  return steps;
}

function parseCall(text: string): SystemCall | undefined {
  const match = /^(\w+)\((.*?)(?:\) += (-?\d+).*)?$/.exec(text);
  if (!match) return undefined;
  const [, name = '', given = '', returned] = match;
  return { name, given, returned: returned === undefined ? undefined : Number(returned) };
}

/** All strings in what a call was given. */
export function stringsIn(given: string): readonly Buffer[] {
  return [...given.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, hex = '']) =>
    Buffer.from(hex.replaceAll('\\x', ''), 'hex'),
  );
}
