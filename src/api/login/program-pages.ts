import type { ProgramSignIn } from '../../auth/index.ts';
import { type Html, html } from './html.ts';
import type { Page } from './page.ts';
import { alertOf, hidden } from './pages.ts';

interface PageParts {
  readonly name: string;
  readonly formToken: string;
}

/** Where the code that a command shows is typed. */
export function codePage({
  name,
  formToken,
  problem,
}: PageParts & { readonly problem?: string | undefined }): Page {
  return {
    title: 'Confirm a command',
    body: html`${alertOf(problem)}<p>Signed in as ${name}. Type the code that <code>dockgate login</code> shows on
<strong>your own</strong> screen. A code that somebody sent you signs that somebody in as you.</p>
<form method="post" action="/login/device">${hidden('form', formToken)}
<label>Code <input name="code" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus></label>
<button>Go on</button></form>`,
  };
}

/** What is about to be confirmed, as far as it is known. */
export function confirmCodePage({
  name,
  code,
  waiting,
  formToken,
  nowMs,
}: PageParts & { readonly code: string; readonly waiting: ProgramSignIn; readonly nowMs: number }): Page {
  const seconds = Math.max(0, Math.round((nowMs - waiting.createdAtMs) / 1000));
  return {
    title: 'Is this your command?',
    body: html`<p>A command asks to act as <strong>${name}</strong>, with all that you may do.</p>
<dl><dt>asked from</dt><dd>${waiting.source === '' ? 'unknown' : waiting.source}</dd>
<dt>asked</dt><dd>${String(seconds)} s ago</dd><dt>code</dt><dd>${code}</dd></dl>
${decisionForm('/login/device', [hidden('form', formToken), hidden('code', code)])}`,
  };
}

/** For a command on this very computer, which waits for the browser. */
export function confirmProgramPage({
  name,
  formToken,
  query,
  port,
}: PageParts & { readonly query: string; readonly port: string }): Page {
  return {
    title: 'Is this your command?',
    body: html`<p>A command on this computer asks to act as <strong>${name}</strong>, with all that you may do. Go on only if
you have just run <code>dockgate login</code>.</p>
${decisionForm('/login/program', [hidden('form', formToken), hidden('query', query)])}`,
    formTarget: `http://127.0.0.1:${port}`,
  };
}

export function donePage(title: string, text: string): Page {
  return { title, body: html`<p>${text}</p>` };
}

function decisionForm(action: string, fields: Html[]): Html {
  return html`<form method="post" action="${action}">${fields}
<button name="decision" value="approve">Yes, sign it in</button>
<button class="quiet" name="decision" value="deny">No</button></form>`;
}
