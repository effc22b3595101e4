import { rules as presetRules } from '@secretlint/secretlint-rule-preset-recommend';
import type { SecretLintRuleContext, SecretLintRuleCreator, SecretLintSourceCode } from '@secretlint/types';
import { isPlausiblePassword, isRandomEnough, isSampleHost } from './plausible.ts';
import type { SecretRule } from './secret-rule.ts';

/** How one of secretlint's rules is used. */
interface Use extends Omit<SecretRule, 'find'> {
  /** The rule's name behind `@secretlint/secretlint-rule-`. */
  readonly from: string;
  /** @returns the public part of a match, `undefined` for what is no secret after all. */
  readonly hintOf: (match: string) => string | undefined;
}

/** For tokens with a fixed prefix: the rest must look random. */
function token(prefix: RegExp): Use['hintOf'] {
  return (match) => {
    const known = prefix.exec(match)?.[0] ?? '';
    return isRandomEnough(match.slice(known.length)) ? `${known}...` : undefined;
  };
}

/** The shape alone says enough. */
const anything: Use['hintOf'] = () => '';

const NEAR = { before: 40, after: 600 };

/**
 * The rules, one by one, that are taken from secretlint's preset. Left out on purpose: `filter-comments`, by which
 * an image's author could switch findings off; `gcp`, which reads whole files only; `privatekey`, which misses P-256
 * and Ed25519; `basicauth`, which takes the samples of manuals for real; `huggingface`, which knows no digits. The
 * kinds of the last four are found as ours.
 */
const USES: readonly Use[] = [
  {
    from: 'aws',
    id: 'aws-secret-access-key',
    severity: 'critical',
    title: 'AWS secret access key',
    keywords: ['ecret_access', 'ecretAccess', 'ecretaccess', 'ecret_Access', 'ECRET_ACCESS', 'ECRETACCESS'],
    reach: { before: 20, after: 200 },
    hintOf: (match) => (isRandomEnough(match, 3.5) ? '' : undefined),
  },
  {
    from: 'npm',
    id: 'npm-token',
    severity: 'critical',
    title: 'npm access token',
    keywords: ['npm_', '_authToken=', 'x-oauth-basic'],
    reach: { before: 300, after: 300 },
    hintOf: (match) =>
      /^[\w+/=.-]{20,}$/.test(match) && isRandomEnough(match.replace(/^npm_/, '')) ? '' : undefined,
  },
  {
    from: 'slack',
    id: 'slack-token',
    severity: 'high',
    title: 'Slack token',
    keywords: ['xoxb-', 'xoxp-', 'xapp-', 'xoxa-', 'xoxo-', 'xoxr-', 'hooks.slack.com/services/T'],
    reach: NEAR,
    hintOf: (match) => (match.length >= 24 && isRandomEnough(match.slice(5)) ? match.slice(0, 5) : undefined),
  },
  {
    from: 'sendgrid',
    id: 'sendgrid-api-key',
    severity: 'high',
    title: 'SendGrid API key',
    keywords: ['SG.'],
    reach: { before: 4, after: 80 },
    hintOf: token(/^SG\./),
  },
  {
    from: 'shopify',
    id: 'shopify-token',
    severity: 'high',
    title: 'Shopify access token',
    keywords: ['shppa_', 'shpca_', 'shpat_', 'shpss_'],
    reach: NEAR,
    hintOf: token(/^shp.._?a?_?/),
  },
  {
    from: 'github',
    id: 'github-token',
    severity: 'critical',
    title: 'GitHub token',
    keywords: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_', 'github_pat_'],
    reach: NEAR,
    hintOf: token(/^(?:gh._|github_pat_)/),
  },
  {
    from: 'gitlab',
    id: 'gitlab-token',
    severity: 'critical',
    title: 'GitLab access token',
    keywords: ['glpat-'],
    reach: NEAR,
    hintOf: token(/^glpat-/),
  },
  {
    from: 'grafana',
    id: 'grafana-token',
    severity: 'high',
    title: 'Grafana token',
    keywords: ['glc_', 'glsa_'],
    reach: NEAR,
    hintOf: token(/^gl\w+?_/),
  },
  {
    from: 'openai',
    id: 'openai-api-key',
    severity: 'high',
    title: 'OpenAI API key',
    keywords: ['T3BlbkFJ'],
    reach: { before: 120, after: 100 },
    hintOf: (match) => (isRandomEnough(match.slice(3)) ? 'sk-...' : undefined),
  },
  {
    from: 'anthropic',
    id: 'anthropic-api-key',
    severity: 'high',
    title: 'Anthropic API key',
    keywords: ['sk-ant-api'],
    reach: NEAR,
    hintOf: token(/^sk-ant-api0\d-/),
  },
  {
    from: 'groq',
    id: 'groq-api-key',
    severity: 'high',
    title: 'Groq API key',
    keywords: ['gsk_'],
    reach: NEAR,
    hintOf: token(/^gsk_/),
  },
  {
    from: 'linear',
    id: 'linear-api-key',
    severity: 'high',
    title: 'Linear API key',
    keywords: ['lin_api_'],
    reach: NEAR,
    hintOf: token(/^lin_api_/),
  },
  {
    from: 'notion',
    id: 'notion-token',
    severity: 'high',
    title: 'Notion integration token',
    keywords: ['ntn_'],
    reach: NEAR,
    hintOf: token(/^ntn_/),
  },
  {
    from: '1password',
    id: '1password-token',
    severity: 'critical',
    title: '1Password service account token',
    keywords: ['ops_ey'],
    reach: { before: 8, after: 1400 },
    hintOf: anything,
  },
  {
    from: 'hashicorp-vault',
    id: 'vault-token',
    severity: 'critical',
    title: 'HashiCorp Vault token',
    keywords: ['hvs.', 'hvb.', 'hvr.'],
    reach: NEAR,
    hintOf: token(/^hv.\./),
  },
  {
    from: 'vercel',
    id: 'vercel-token',
    severity: 'high',
    title: 'Vercel token',
    keywords: ['vcp_', 'vci_', 'vca_', 'vcr_', 'vck_'],
    reach: NEAR,
    hintOf: (match) => (/\d/.test(match) && /[A-Z]/.test(match) ? token(/^vc._/)(match) : undefined),
  },
  {
    from: 'databricks',
    id: 'databricks-token',
    severity: 'high',
    title: 'Databricks token',
    keywords: ['dapi'],
    reach: NEAR,
    hintOf: token(/^dapi/),
  },
  {
    from: 'docker',
    id: 'docker-access-token',
    severity: 'critical',
    title: 'Docker access token',
    keywords: ['dckr_pat_'],
    reach: NEAR,
    hintOf: token(/^dckr_pat_/),
  },
  {
    from: 'figma',
    id: 'figma-token',
    severity: 'high',
    title: 'Figma token',
    keywords: ['figd_'],
    reach: NEAR,
    hintOf: token(/^figd_/),
  },
  {
    from: 'database-connection-string',
    id: 'database-url-with-password',
    severity: 'high',
    title: 'Database address with a password',
    keywords: ['mongodb', 'mysql', 'postgres'],
    reach: { before: 8, after: 400 },
    appliesTo: (origin) => !origin.isBinary,
    hintOf: hintOfDatabaseUrl,
  },
];

function hintOfDatabaseUrl(match: string): string | undefined {
  const parts = /^(?:jdbc:)?([\w+]+):\/\/[^:]+:([^@]+)@([^/?\s]*)/.exec(match);
  const [, scheme = '', password = '', host = ''] = parts ?? [];
  return isPlausiblePassword(password) && !isSampleHost(host) ? `${scheme}://...@${host}` : undefined;
}

/** The preset's rules as ours. Runs them without secretlint's core, whose profiler keeps every run in memory. */
export function createSecretlintRules(): readonly SecretRule[] {
  return USES.map(({ from, hintOf, ...use }) => {
    const id = `@secretlint/secretlint-rule-${from}`;
    const creator = presetRules.find((rule) => rule.meta.id === id);
    if (!creator) throw new Error(`secretlint's preset no longer has ${id}: list its successor in USES`);
    const lint = createLint(creator);
    return {
      ...use,
      *find(window, origin) {
        for (const { text, start } of lint(window, origin.path)) {
          const hint = hintOf(text);
          if (hint !== undefined) yield { start, end: start + text.length, hint };
        }
      },
    };
  });
}

interface Reported {
  readonly text: string;
  readonly start: number;
}

function createLint(
  creator: SecretLintRuleCreator,
): (content: string, filePath: string) => readonly Reported[] {
  let content = '';
  let reported: Reported[] = [];
  const context: SecretLintRuleContext = {
    sharedOptions: {},
    createTranslator: () => (messageId, data) => ({ message: '', messageId: String(messageId), data }),
    report({ message, range }) {
      // The secret is the message's only datum; the range begins at its name where it has one (`aws`).
      const [text] = Object.values<unknown>(message.data ?? {});
      if (typeof text !== 'string' || text === '') return;
      const at = content.indexOf(text, range[0]);
      reported.push({ text, start: at < 0 ? range[0] : at });
    },
    ignore: () => undefined,
  };
  const handler = creator.create(context, {});
  return (window, filePath) => {
    content = window;
    reported = [];
    // Every rule in USES answers at once; only `gcp`, which is not among them, would return a promise.
    handler.file?.(sourceOf(window, filePath));
    return reported;
  };
}

function sourceOf(content: string, filePath: string): SecretLintSourceCode {
  const nowhere = { line: 1, column: 0 };
  return {
    hasBOM: false,
    content,
    filePath,
    physicalFilePath: undefined,
    contentType: 'text',
    ext: '',
    getFilePath: () => filePath,
    getPhysicalFilePath: () => undefined,
    locationToRange: () => [0, 0],
    rangeToLocation: () => ({ start: nowhere, end: nowhere }),
    positionToIndex: () => 0,
    indexToPosition: () => nowhere,
  };
}
