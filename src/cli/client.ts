import { type ApiAnswer, type Call, send, type Target } from './transport.ts';

/** A command that was refused or failed: printed as one sentence, exit code 1. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
}

/** Nothing answers where the server is, or it cannot answer now: asking again later may help. */
export class ServerAway extends CommandFailed {}

/** A command that cannot be what was meant: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The API as the commands call it. */
export interface Client {
  get(path: string, query?: Readonly<Record<string, string | undefined>>): Promise<Record<string, unknown>>;
  /** @param silenceMs longest silence before it is given up, where the call works for longer than others. */
  post(path: string, body?: unknown, silenceMs?: number): Promise<Record<string, unknown>>;
  put(path: string, body?: unknown): Promise<Record<string, unknown>>;
  delete(path: string): Promise<Record<string, unknown>>;
}

export function createClient(target: Target): Client {
  const call = async (method: string, path: string, given: Call = {}): Promise<Record<string, unknown>> => {
    const answer = await send(target, method, path, given).catch((error: unknown) => {
      throw new ServerAway(
        `cannot reach ${whereOf(target)}: ${error instanceof Error ? error.message : error}`,
      );
    });
    if (answer.status >= 500) throw new ServerAway(problemText(answer, target));
    if (answer.status >= 400) throw new CommandFailed(problemText(answer, target));
    return asRecord(answer.body);
  };
  return {
    get: (path, query = {}) => call('GET', path + queryText(query)),
    post: (path, body, silenceMs) =>
      call('POST', path, { body, ...(silenceMs === undefined ? {} : { silenceMs }) }),
    put: (path, body) => call('PUT', path, { body }),
    delete: (path) => call('DELETE', path),
  };
}

function queryText(query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given)}`;
}

function whereOf(target: Target): string {
  return target.kind === 'socket' ? `the server at ${target.path}` : target.url;
}

function problemText({ status, body }: ApiAnswer, target: Target): string {
  const { message } = asRecord(asRecord(body).error);
  if (status === 401 && target.kind === 'server') {
    return `the stored sign-in to ${target.url} is over: sign in again with \`dockgate login ${target.url}\``;
  }
  return typeof message === 'string' ? message : `the server answered ${status}`;
}

export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

/** The members of a list in an answer. */
export function listIn(answer: Record<string, unknown>, key: string): readonly Record<string, unknown>[] {
  const list = answer[key];
  return Array.isArray(list) ? list.map(asRecord) : [];
}
