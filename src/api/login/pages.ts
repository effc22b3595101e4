import type { SignInProvider } from '../../auth/index.ts';
import { type Html, html } from './html.ts';
import type { Page } from './page.ts';

/** What every form carries. */
interface FormParts {
  readonly formToken: string;
}

export interface SignInPageParts extends FormParts {
  readonly providers: readonly Pick<SignInProvider, 'id' | 'label'>[];
  readonly next: string;
  readonly problem?: string | undefined;
}

/** The form for a local password, and a button for each provider. */
export function signInPage({ providers, next, problem, formToken }: SignInPageParts): Page {
  const query = new URLSearchParams({ next });
  const buttons = providers.map(
    ({ id, label }) =>
      html`<a class="button quiet" href="/login/oidc/${id}?${query.toString()}">Sign in with ${label}</a>`,
  );
  return {
    title: 'Sign in',
    body: html`${alertOf(problem)}<form method="post" action="/login">
${hidden('form', formToken)}${hidden('next', next)}
<label>Name <input name="name" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
<label>One-time code, with a second factor on <input name="code" inputmode="numeric" autocomplete="one-time-code"></label>
<button>Sign in</button></form>${
      buttons.length === 0 ? [] : html`<p class="or">or</p><div class="buttons">${buttons}</div>`
    }`,
  };
}

/** Whoever is signed in and asked for nothing else. */
export function homePage({
  name,
  publicUrl,
  formToken,
}: FormParts & { readonly name: string; readonly publicUrl: string }): Page {
  const host = new URL(publicUrl).host;
  return {
    title: `Signed in as ${name}`,
    body: html`<p>The command line signs in through this browser: <code>dockgate login ${publicUrl}</code>.
Where it has none, it shows a code to <a href="/login/device">enter here</a>.</p>
<p>docker and podman take a personal access token as password: <code>dockgate token create laptop</code>, then
<code>docker login -u ${name} ${host}</code>.</p>
<form method="post" action="/logout">${hidden('form', formToken)}<button class="quiet">Sign out</button></form>`,
  };
}

/** @param elsewhere where the provider ends its own session, which could sign the person in again at once. */
export function signedOutPage(elsewhere: { readonly label: string; readonly url: string } | undefined): Page {
  const link = elsewhere
    ? html`<p>${elsewhere.label} may still know you in this browser.</p>
<div class="buttons"><a class="button quiet" href="${elsewhere.url}">Sign out of ${elsewhere.label}, too</a></div>`
    : [];
  return {
    title: 'Signed out',
    body: html`${link}<div class="buttons"><a class="button" href="/login">Sign in</a></div>`,
  };
}

/** A "no" with its sentence and the way back. */
export function problemPage(title: string, problem: string): Page {
  return {
    title,
    body: html`${alertOf(problem)}<div class="buttons"><a class="button" href="/login">Back to sign-in</a></div>`,
  };
}

export function alertOf(problem: string | undefined): Html {
  return problem === undefined ? html`` : html`<p role="alert">${problem}</p>`;
}

export function hidden(name: string, value: string): Html {
  return html`<input type="hidden" name="${name}" value="${value}">`;
}
