export interface HoldOptions {
  /** Requests held at once in this process. */
  readonly countMax: number;
  /** Requests held at once for one principal. */
  readonly perPrincipalMax: number;
}

/** Counts the requests that are held for a scan, so that waiting cannot use up a process. */
export interface Holds {
  /** @returns the call that ends the hold, or `undefined` when there is no place: answer at once. */
  enter(principalId: string): (() => void) | undefined;
}

export function createHolds({ countMax, perPrincipalMax }: HoldOptions): Holds {
  const counts = new Map<string, number>();
  let total = 0;
  return {
    enter(principalId) {
      const own = counts.get(principalId) ?? 0;
      if (total >= countMax || own >= perPrincipalMax) return undefined;
      total++;
      counts.set(principalId, own + 1);
      return () => {
        total--;
        const left = (counts.get(principalId) ?? 1) - 1;
        if (left > 0) counts.set(principalId, left);
        else counts.delete(principalId);
      };
    },
  };
}
