import { foldKey, type JsonValue, parseStrictJson } from '../../oci/index.ts';
import { Unscannable } from '../layers/limits.ts';

/** What the inspector reads of an image config. Absent members are empty. */
export interface ImageConfig {
  readonly user: string;
  readonly env: readonly string[];
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly exposedPorts: readonly string[];
  /** Folders that get a volume of their own. */
  readonly volumes: readonly string[];
  /** Absent: no HEALTHCHECK was stated. */
  readonly healthcheck?: readonly string[];
  /** How each layer was made, oldest first. */
  readonly history: readonly string[];
  /** As it stands there; an RFC 3339 time if the builder was right. */
  readonly created: string;
  /** The same of the first step of the history, which laid the oldest layer: the base image's. */
  readonly baseCreated: string;
  /** Every text anywhere in it that none of the members above holds. */
  readonly otherTexts: readonly string[];
}

type Members = { readonly [key: string]: JsonValue };

/**
 * Reads an image config as Go programs do, that is, whatever the case of its keys.
 *
 * @throws {Unscannable} it is not strict JSON, or a member has another type than the specification gives it.
 * @see OCI image-spec 1.1, config.md; Healthcheck: moby image-spec v1.2
 */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const json = parseStrictJson(bytes);
  if (!json.ok) throw new Unscannable(`its config is not strict JSON: ${json.problem}`);
  const top = membersOf(json.value, 'config');
  const config = membersOf(top.config, 'config.config');
  const healthcheck = config.healthcheck;
  const test =
    healthcheck === undefined || healthcheck === null
      ? undefined
      : textsOf(membersOf(healthcheck, 'Healthcheck').test, 'Healthcheck.Test');
  return {
    user: textOf(config.user, 'User'),
    env: textsOf(config.env, 'Env'),
    command: [...commandOf(config.entrypoint, 'Entrypoint'), ...commandOf(config.cmd, 'Cmd')],
    labels: labelsOf(config.labels),
    exposedPorts: Object.keys(membersOf(config.exposedports, 'ExposedPorts', false)),
    volumes: Object.keys(membersOf(config.volumes, 'Volumes', false)),
    ...(test === undefined ? {} : { healthcheck: test }),
    history: historyOf(top.history),
    created: textOf(top.created, 'created'),
    baseCreated: baseCreatedOf(top.history),
    otherTexts: otherTextsOf(top, config),
  };
}

/** An object's members by their names as Go compares them; parseStrictJson let none through that differ in case only. */
function membersOf(value: JsonValue | undefined, where: string, fold = true): Members {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || isList(value)) throw new Unscannable(`${where} is no JSON object`);
  const entries = Object.entries(value);
  return Object.fromEntries(fold ? entries.map(([key, member]) => [foldKey(key), member]) : entries);
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function textOf(value: JsonValue | undefined, where: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw new Unscannable(`${where} is no text`);
  return value;
}

function textsOf(value: JsonValue | undefined, where: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!isList(value)) throw new Unscannable(`${where} is no list`);
  return value.map((item) => textOf(item, where));
}

/** Docker's oldest configs have a command as one text. */
function commandOf(value: JsonValue | undefined, where: string): readonly string[] {
  return typeof value === 'string' ? [value] : textsOf(value, where);
}

function labelsOf(value: JsonValue | undefined): Readonly<Record<string, string>> {
  const entries = Object.entries(membersOf(value, 'Labels', false));
  return Object.fromEntries(entries.map(([key, text]) => [key, textOf(text, 'Labels')]));
}

function historyOf(value: JsonValue | undefined): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!isList(value)) throw new Unscannable('history is no list');
  return value.map((step) => textOf(membersOf(step, 'history').created_by, 'created_by'));
}

function baseCreatedOf(history: JsonValue | undefined): string {
  const first = history !== undefined && history !== null && isList(history) ? history[0] : undefined;
  return textOf(membersOf(first, 'history').created, 'history.created');
}

const KNOWN: ReadonlySet<string> = new Set(['env', 'entrypoint', 'cmd', 'labels', 'healthcheck']);

function otherTextsOf(top: Members, config: Members): readonly string[] {
  const texts: string[] = [];
  for (const [key, value] of Object.entries(config)) if (!KNOWN.has(key)) collectTexts(value, texts);
  for (const [key, value] of Object.entries(top)) if (key !== 'config') collectTexts(value, texts);
  return texts;
}

function collectTexts(value: JsonValue, texts: string[]): void {
  if (typeof value === 'string') texts.push(value);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      texts.push(key);
      collectTexts(member, texts);
    }
  }
}

/** 1980-01-02: what tools that strive for reproducible builds write is 1970, or 1980, zip's first year. */
const EARLIEST_MS = Date.UTC(1980, 0, 2);
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,20})?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** @returns the time of `created` in milliseconds; `undefined` when there is none or it cannot be true. */
export function createdAtMs(created: string, nowMs: number): number | undefined {
  if (!RFC3339.test(created)) return undefined;
  const atMs = Date.parse(created.toUpperCase());
  return atMs >= EARLIEST_MS && atMs <= nowMs ? atMs : undefined;
}
