import type { Request, RequestHandler } from 'express';
import { certificateOf, type Identity } from '../../auth/index.ts';
import { HOUR_MS } from '../../base/index.ts';
import { sourceOf } from '../../limits/index.ts';
import { clientAddress } from '../../traffic/index.ts';
import type { ApiOptions, ApiParts } from '../parts.ts';
import { problemOf } from '../problem.ts';
import { type Exchange, entryOf, type RecordFacts } from '../record.ts';
import { type CookieName, printCookie, readCookie } from './cookies.ts';
import { isFormTokenOf, newFormToken } from './form-token.ts';
import { type Page, pageHeaders, printPage } from './page.ts';
import { problemPage } from './pages.ts';

/** After so long a browser signs in again, however busy it was. */
const SESSION_MS_MAX = 8 * HOUR_MS;

/** One request for a page, with what the browser keeps for us. */
export interface Visit {
  readonly options: ApiOptions;
  readonly parts: ApiParts;
  readonly request: Request;
  /** Whose browser it is; absent where nobody is signed in. */
  readonly identity: Identity | undefined;
  /** For the forms of the page that answers. */
  readonly formToken: string;
  /** Fields of the form, one value each. */
  readonly form: ReadonlyMap<string, string>;
  cookie(name: CookieName): string | undefined;
  /** Whom to count attempts by. */
  readonly source: string;
}

/** What a page answers. It is recorded first, then `act`s, then sent. */
export interface Answer {
  readonly status: number;
  readonly page?: Page;
  /** In place of a page. */
  readonly goTo?: string;
  /** Absent: a page that everybody may read. */
  readonly facts?: Omit<RecordFacts, 'status'>;
  /** @returns cookies to set. */
  readonly act?: () => Promise<readonly string[]>;
}

export type Handler = (visit: Visit) => Promise<Answer>;

const BROWSER = ' browser';

/** A browser's session is a refresh token of a service of its own: nothing else of ours takes it (T-13, T-38). */
export function browserService({ service }: Pick<ApiOptions, 'service'>): string {
  return service + BROWSER;
}

/** A page as a handler of Express; a form is looked at only when it is of a page of ours. */
export function pageHandler(options: ApiOptions, parts: ApiParts, handler: Handler): RequestHandler {
  return async (request, response) => {
    const exchange = { request, response, parts };
    let cookies: readonly string[] = [];
    let answer: Answer;
    try {
      const visit = await visitOf(request, options, parts);
      const isForeign =
        request.method === 'POST' &&
        !isFormTokenOf(visit.form.get('form'), visit.cookie('__Host-dockgate-form'));
      answer = isForeign ? foreignForm(visit) : await handler(visit);
      await record(exchange, answer, visit.identity);
      cookies = [...((await answer.act?.()) ?? []), printCookie('__Host-dockgate-form', visit.formToken)];
    } catch (error) {
      const { requestId } = response.locals;
      parts.logger.error('a sign-in page failed', { requestId }, error);
      const { status, message } = problemOf(error);
      answer = { status, page: problemPage('That did not work', message) };
      parts.audit.note(
        entryOf(exchange, { action: 'sign-in', outcome: 'refused', status, reason: 'fault.page' }),
      );
    }
    send(exchange, answer, cookies);
  };
}

async function visitOf(request: Request, options: ApiOptions, parts: ApiParts): Promise<Visit> {
  const source = sourceOf(clientAddress(request));
  const cookie = (name: CookieName) => readCookie(request.headers.cookie, name);
  const session = cookie('__Host-dockgate-session');
  const proved =
    session === undefined
      ? undefined
      : await parts.authenticator.refresh({
          token: session,
          service: browserService(options),
          source,
          ageMsMax: SESSION_MS_MAX,
          certificate: certificateOf(request.socket),
        });
  const shown = cookie('__Host-dockgate-form');
  return {
    ...{ options, parts, request, source, cookie },
    identity: proved?.ok ? { ...proved.identity, via: 'browser' } : undefined,
    formToken: isFormTokenOf(shown, shown) && shown !== undefined ? shown : newFormToken(parts.random),
    form: formOf(request),
  };
}

function formOf(request: Request): ReadonlyMap<string, string> {
  const body: unknown = request.body;
  if (typeof body !== 'object' || body === null) return new Map();
  return new Map(
    Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

function foreignForm({ identity }: Visit): Answer {
  const problem = 'this form was not made for this browser, or cookies are off: open the page again';
  return {
    status: 403,
    page: problemPage('Try again', problem),
    facts: { action: 'sign-in', outcome: 'refused', reason: 'form.foreign', identity },
  };
}

/** What nobody is proved by is not waited for, as everywhere. */
async function record(
  exchange: Exchange,
  { facts, status }: Answer,
  identity: Identity | undefined,
): Promise<void> {
  if (!facts) return;
  const entry = entryOf(exchange, { ...facts, status });
  if (facts.outcome === 'refused' && (facts.identity ?? identity) === undefined)
    exchange.parts.audit.note(entry);
  else await exchange.parts.audit.record(entry);
}

function send({ response }: Exchange, { status, page, goTo }: Answer, cookies: readonly string[]): void {
  if (cookies.length > 0) response.set('set-cookie', [...cookies]);
  if (goTo !== undefined) {
    response.status(303).set('location', goTo).end();
    return;
  }
  if (!page) throw new Error('an answer is a page or leads to one');
  response.set(pageHeaders(page)).status(status).type('html').send(printPage(page));
}
