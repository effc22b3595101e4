import * as z from 'zod';
import { parseDuration, printDuration } from '../base/index.ts';

/** An object with exactly these members; an unknown one is a problem that names those there are. */
export function exact<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => {
      const names = Object.keys(shape).join(', ');
      if (issue.code !== 'unrecognized_keys') return `must be a section with the keys ${names}`;
      return `unknown key ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}; allowed: ${names}`;
    },
  });
}

/** A duration as text, read as milliseconds. */
export function duration(minMs: number, maxMs: number) {
  const message = `must be a duration such as 20s, 12h or 7d, from ${printDuration(minMs)} to ${printDuration(maxMs)}`;
  return z.string(message).transform((text, context): number => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

/** A list of texts that is not empty. */
export function texts(what: string, countMax = 500) {
  return z
    .array(
      z
        .string()
        .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')
        .max(512),
      `must be a list of ${what}`,
    )
    .min(1, `names no ${what}`)
    .max(countMax);
}

export function numberFrom(min: number, max: number) {
  return z.number(`must be a number from ${min} to ${max}`).min(min).max(max);
}

/** Without the members that are undefined, so that what was read equals what is printed and read again. */
export function withoutAbsent<Given extends object>(given: Given): Present<Given> {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Present<Given>;
}

/** The same members, of which none that may be absent is there with the value undefined. */
export type Present<Given> = {
  [Key in keyof Given as undefined extends Given[Key] ? never : Key]: Given[Key];
} & {
  [Key in keyof Given as undefined extends Given[Key] ? Key : never]?: Exclude<Given[Key], undefined>;
};
