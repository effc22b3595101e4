/** Text that is HTML already. Only {@link html} makes it. */
export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** What stands between the literal parts is text, whatever is in it; only what was made here is markup. */
export function html(parts: TemplateStringsArray, ...values: readonly (string | Html | Html[])[]): Html {
  const printed = values.map((value, index) => print(value) + (parts[index + 1] ?? ''));
  return new Html((parts[0] ?? '') + printed.join(''));
}

function print(value: string | Html | Html[]): string {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(({ text }) => text).join('');
  return value.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? '');
}
