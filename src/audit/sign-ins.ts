import { isIPv4 } from 'node:net';
import type { AccessRecord } from './record.ts';

/** What is strange about one sign-in, in words that say why. */
export interface Anomaly {
  readonly rule: 'new-address' | 'new-network' | 'failure-burst' | 'success-after-failures' | 'unusual-hour';
  readonly principal: string;
  readonly address: string;
  readonly time: string;
  readonly why: string;
}

/** One sign-in or one try. */
interface SignIn {
  readonly name: string;
  readonly isRobot: boolean;
  readonly isSuccess: boolean;
  readonly address: string;
  readonly time: string;
  readonly timeMs: number;
}

const BURST_COUNT = 10;
const BURST_MS = 10 * 60_000;
const FAILURES_BEFORE = 5;
const FAILURES_MS = 60 * 60_000;
/** Before so many sign-ins nobody's hours are known. */
const HOURS_KNOWN = 20;
/** More names and addresses are not kept in mind: an attacker invents them. */
const KEPT_MAX = 100_000;

/**
 * Looks at sign-ins in the order of the log. What is usual is learnt from the records before, so the first days of a
 * log are quiet and a short period finds less.
 */
export class SignInWatch {
  readonly #placesByName = new Map<string, Set<string>>();
  readonly #hoursByName = new Map<string, number[]>();
  readonly #failures = new Map<string, number[]>();

  /** @returns what is strange about this record; nothing where it is no sign-in. */
  look(record: AccessRecord): readonly Anomaly[] {
    const signIn = readSignIn(record);
    if (signIn === undefined) return [];
    return signIn.isSuccess ? this.#lookAtSuccess(signIn) : this.#lookAtFailure(signIn);
  }

  #lookAtFailure(signIn: SignIn): readonly Anomaly[] {
    const { address, name, timeMs } = signIn;
    return [`from ${address}`, `as ${name}`].flatMap((key) => {
      const recent = (this.#failures.get(key) ?? []).filter((atMs) => timeMs - atMs < FAILURES_MS);
      recent.push(timeMs);
      keep(this.#failures, key, recent.slice(-BURST_COUNT));
      const first = recent.at(-BURST_COUNT);
      if (first === undefined || timeMs - first > BURST_MS) return [];
      // The next burst begins with the next failures.
      this.#failures.set(key, []);
      return [anomaly('failure-burst', signIn, `${BURST_COUNT} failures ${key} within 10 minutes`)];
    });
  }

  #lookAtSuccess(signIn: SignIn): readonly Anomaly[] {
    const found = [this.#afterFailures(signIn), this.#fromElsewhere(signIn), this.#atUnusualHour(signIn)];
    return found.filter((one) => one !== undefined);
  }

  #afterFailures(signIn: SignIn): Anomaly | undefined {
    const key = `as ${signIn.name}`;
    const recent = (this.#failures.get(key) ?? []).filter((atMs) => signIn.timeMs - atMs < FAILURES_MS);
    this.#failures.delete(key);
    if (recent.length < FAILURES_BEFORE) return undefined;
    return anomaly('success-after-failures', signIn, `it follows ${recent.length} failures within an hour`);
  }

  #fromElsewhere(signIn: SignIn): Anomaly | undefined {
    const { name, address, isRobot } = signIn;
    const place = isRobot ? networkOf(address) : address;
    const known = this.#placesByName.get(name);
    keep(this.#placesByName, name, known ?? new Set<string>());
    if (known?.has(place)) return undefined;
    const before = known?.size ?? 0;
    this.#placesByName.get(name)?.add(place);
    if (before === 0) return undefined;
    return isRobot
      ? anomaly('new-network', signIn, `the robot was in ${before} other networks before, never in ${place}`)
      : anomaly('new-address', signIn, `${before} other addresses were known of it before`);
  }

  #atUnusualHour(signIn: SignIn): Anomaly | undefined {
    const hours = this.#hoursByName.get(signIn.name) ?? Array.from({ length: 24 }, () => 0);
    keep(this.#hoursByName, signIn.name, hours);
    const hour = new Date(signIn.timeMs).getUTCHours();
    const total = hours.reduce((sum, count) => sum + count, 0);
    const near = [23, 0, 1].reduce((sum, by) => sum + (hours[(hour + by) % 24] ?? 0), 0);
    hours[hour] = (hours[hour] ?? 0) + 1;
    if (total < HOURS_KNOWN || near > 0 || signIn.isRobot) return undefined;
    return anomaly('unusual-hour', signIn, `none of ${total} sign-ins before was near ${hour}:00 UTC`);
  }
}

function anomaly(rule: Anomaly['rule'], { name, address, time }: SignIn, why: string): Anomaly {
  return { rule, principal: name, address, time, why };
}

/** Who failed is in the note, for nobody proved to be it. */
function readSignIn({ kind, action, outcome, reason, note, principal, client, time }: AccessRecord) {
  const timeMs = Date.parse(time);
  if (kind !== 'decision' || client === undefined || Number.isNaN(timeMs)) return undefined;
  const common = { address: client.address, time, timeMs };
  if (outcome === 'allowed') {
    if (principal === undefined || (action !== 'sign-in' && action !== 'token')) return undefined;
    if (principal.via === 'anonymous' || principal.via === 'socket') return undefined;
    return { ...common, name: principal.name, isRobot: principal.kind === 'robot', isSuccess: true };
  }
  const isFailure = reason?.startsWith('sign-in.') === true && reason !== 'sign-in.needed';
  if (!isFailure && reason !== 'limit.sign-in') return undefined;
  const name = principal?.name ?? /^as (.+)$/.exec(note ?? '')?.[1] ?? '(unknown)';
  return { ...common, name, isRobot: false, isSuccess: false };
}

/** The first 24 bits of IPv4, the first three groups of IPv6 as they are written. */
function networkOf(address: string): string {
  if (isIPv4(address)) return `${address.slice(0, address.lastIndexOf('.'))}.0/24`;
  return `${address.split(':').slice(0, 3).join(':')}::/48`;
}

function keep<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > KEPT_MAX && oldest !== undefined) map.delete(oldest);
}
