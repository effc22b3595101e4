import { hash } from 'node:crypto';
import { type Html, html } from './html.ts';

const STYLE = `
:root { color-scheme: light dark; --ink: #16202c; --soft: #5a6675; --ground: #f3f5f8; --card: #fff; --line: #ccd4de;
  --strong: #0b5cad; --bad: #a4262c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf1; --soft: #9aa7b5; --ground: #11161c; --card: #1a212a;
  --line: #36414e; --strong: #5aa5ee; --bad: #ff8a8f; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 26rem; padding: 2rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; }
h1 { margin: 0 0 1rem; font-size: 1.35rem; }
form { display: grid; gap: .9rem; margin: 1rem 0 0; }
label { display: grid; gap: .25rem; font-size: .9rem; color: var(--soft); }
input { font: inherit; padding: .55rem .65rem; color: var(--ink); background: transparent; border: 1px solid var(--line);
  border-radius: .4rem; }
button, .button { display: block; width: 100%; padding: .6rem; font: inherit; font-weight: 600; text-align: center;
  text-decoration: none; color: #fff; background: #0b5cad; border: 1px solid #0b5cad; border-radius: .4rem; cursor: pointer; }
.quiet { color: var(--strong); background: transparent; border-color: var(--line); }
.buttons { display: grid; gap: .6rem; margin-top: 1rem; }
:focus-visible { outline: 3px solid var(--strong); outline-offset: 2px; }
[role=alert] { padding: .6rem .8rem; color: var(--bad); border: 1px solid currentColor; border-radius: .4rem; }
.or { margin: 1.25rem 0 0; font-size: .85rem; color: var(--soft); text-align: center; }
code { font-size: .85em; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; margin: 1rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
`;
const STYLE_HASH = hash('sha256', STYLE, 'base64');

export interface Page {
  readonly title: string;
  readonly body: Html;
  /** Another origin that a form of the page may end at. */
  readonly formTarget?: string;
}

/** The whole document: no script, nothing from elsewhere. */
export function printPage({ title, body }: Page): string {
  const head = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title} · dockgate</title>`;
  const rest = html`</head><body><main><h1>${title}</h1>${body}</main></body></html>`;
  return `${head.text}<style>${STYLE}</style>${rest.text}`;
}

/** @see threats W-02: what slips into a page can neither run, nor load, nor send anything. */
export function pageHeaders({ formTarget }: Page): Readonly<Record<string, string>> {
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    `form-action 'self'${formTarget === undefined ? '' : ` ${formTarget}`}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  return {
    'content-security-policy': policy.join('; '),
    // With no-referrer a browser would not say which page a form comes from, and it would be refused.
    'referrer-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
  };
}
