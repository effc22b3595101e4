import assert from 'node:assert/strict';
import { DAY_MS } from '../../src/base/index.ts';
import {
  canonicalText,
  effectivePolicies,
  type Facts,
  immutableBy,
  judge,
  judgeIndex,
  judgePush,
  type Policy,
  type Rules,
} from '../../src/policy/index.ts';
import {
  effectiveOf,
  factsOf,
  findingOf,
  IMAGE,
  NOW_MS,
  policyOf,
  repositoryOf,
  waiverOf,
} from './fixtures.ts';

/** The reasons against an image, as `rule: text`, under one policy of these rules. */
function reasonsFor(rules: Rules, facts: Partial<Facts>, more: Partial<Policy> = {}): readonly string[] {
  const { reasons } = judge(factsOf(facts), IMAGE, effectiveOf([policyOf(rules, more)]), NOW_MS);
  return reasons.map(({ rule, text }) => `${rule}: ${text}`);
}

const PROVENANCE = 'https://slsa.dev/provenance/v1';
const BUILT = {
  by: 'ci',
  predicateType: PROVENANCE,
  builder: 'https://github.com/corp/builder@v1',
  source: 'https://github.com/corp/app',
};
const provenance = (more: object = {}): Rules => ({
  attestations: [{ type: PROVENANCE, by: ['ci'], ...more }],
});
const FEEDS = { epss: { revision: 'e', asOfMs: NOW_MS }, kev: { revision: 'k', asOfMs: NOW_MS } };
const low = findingOf({ severity: 'low', cvss: 8.1, epss: 0.4 });

describe('rules about vulnerabilities', () => {
  for (const [title, rule, finding, isRefused] of [
    ['count from a CVSS score up', { cvss: 8.1 }, low, true],
    ['leave out a lower CVSS score', { cvss: 8.2 }, low, false],
    ['leave out a finding without score', { cvss: 0 }, findingOf(), false],
    ['count from an EPSS probability up', { epss: 0.4 }, low, true],
    ['leave out a lower EPSS probability', { epss: 0.41 }, low, false],
    ['count what is exploited', { exploited: true }, { ...low, isExploited: true }, true],
    ['leave out what is not exploited', { exploited: true }, low, false],
    ['count from an EPSS percentile up', { epssPercentile: 0.9 }, { ...low, epssPercentile: 0.9 }, true],
    ['leave out a lower EPSS percentile', { epssPercentile: 0.9 }, { ...low, epssPercentile: 0.89 }, false],
    ['leave out what has no EPSS percentile', { epssPercentile: 0 }, low, false],
    [
      'count what is exploited from the end of its due date on',
      { exploited: 'past-due' },
      { ...low, isExploited: true, dueAtMs: NOW_MS },
      true,
    ],
    [
      'leave out what is exploited before that',
      { exploited: 'past-due' },
      { ...low, isExploited: true, dueAtMs: NOW_MS + 1 },
      false,
    ],
    [
      'wait for no due date where there is none',
      { exploited: 'past-due' },
      { ...low, isExploited: true },
      true,
    ],
    [
      'count by severity what is exploited and not yet due',
      { block: 'low', exploited: 'past-due' },
      { ...low, isExploited: true, dueAtMs: NOW_MS + 1 },
      true,
    ],
    ['count by severity beside a score', { block: 'low', cvss: 10 }, low, true],
    ['leave out what has no fix', { block: 'low', fixableOnly: true }, low, false],
    [
      'count what is exploited, fixable or not, from the first day',
      { exploited: true, fixableOnly: true, graceMs: 30 * DAY_MS },
      { ...low, isExploited: true, publishedAtMs: NOW_MS },
      true,
    ],
    [
      'give a grace',
      { block: 'low', graceMs: 7 * DAY_MS },
      { ...low, publishedAtMs: NOW_MS - 7 * DAY_MS + 1 },
      false,
    ],
    [
      'end the grace to the millisecond',
      { block: 'low', graceMs: 7 * DAY_MS },
      { ...low, publishedAtMs: NOW_MS - 7 * DAY_MS },
      true,
    ],
    ['give no grace to what has no date', { block: 'low', graceMs: 7 * DAY_MS }, low, true],
  ] as const) {
    it(title, () => {
      const rules: Rules = { vulnerabilities: { fixableOnly: false, ...rule } };
      assert.equal(reasonsFor(rules, { findings: [finding], feeds: FEEDS }).length > 0, isRefused);
    });
  }

  it('change their mind when a grace ends', () => {
    const rules: Rules = { vulnerabilities: { block: 'low', fixableOnly: false, graceMs: 7 * DAY_MS } };
    const facts = factsOf({ findings: [{ ...low, publishedAtMs: NOW_MS - DAY_MS }] });
    assert.equal(
      judge(facts, IMAGE, effectiveOf([policyOf(rules)]), NOW_MS).validUntilMs,
      NOW_MS + 6 * DAY_MS,
    );
  });
});

describe('rules about ages', () => {
  it('count the base image by its own date, and by the image where it has none', () => {
    const rules: Rules = { baseAge: { maxMs: 90 * DAY_MS } };
    const young = { createdAtMs: NOW_MS - DAY_MS };
    assert.deepEqual(reasonsFor(rules, { ...young, baseCreatedAtMs: NOW_MS - 90 * DAY_MS }), [
      'baseAge: its base image is of 2026-03-03, older than 90d: rebuild it on the current one',
    ]);
    assert.deepEqual(reasonsFor(rules, young), []);
    assert.equal(reasonsFor(rules, { createdAtMs: NOW_MS - 91 * DAY_MS }).length, 1);
  });

  it('count how long no tag leads to it any more', () => {
    const rules: Rules = { superseded: { maxMs: 30 * DAY_MS } };
    assert.deepEqual(reasonsFor(rules, {}), []);
    assert.deepEqual(reasonsFor(rules, { supersededAtMs: NOW_MS - 30 * DAY_MS + 1 }), []);
    assert.deepEqual(reasonsFor(rules, { supersededAtMs: NOW_MS - 30 * DAY_MS }), [
      "superseded: no tag leads to it since 2026-05-02, longer than 30d: pull the tag's new image",
    ]);
  });

  it('share no verdict between repositories where tags count', () => {
    const policies = [policyOf({ superseded: { maxMs: DAY_MS } })];
    assert.equal(effectiveOf(policies, [], repositoryOf('a/b')).only, 'a/b');
    assert.equal(effectiveOf([policyOf({ secrets: 'block' })]).only, undefined);
  });
});

describe('rules about shape', () => {
  const chart: Partial<Facts> = {
    kind: 'artifact',
    artifactType: 'application/vnd.cncf.helm.config.v1+json',
  };
  for (const [title, rules, facts, reasons] of [
    [
      'refuse artifacts',
      { artifacts: 'block' },
      chart,
      ['artifacts: artifacts that are no images are not allowed here'],
    ],
    ['let images through where artifacts are refused', { artifacts: 'block' }, {}, []],
    ['allow artifacts by type', { artifacts: { allow: ['application/vnd.cncf.*'] } }, chart, []],
    [
      'refuse other types',
      { artifacts: { allow: ['application/vnd.wasm.*'] } },
      chart,
      ['artifacts: artifacts of type application/vnd.cncf.helm.config.v1+json are not allowed here'],
    ],
    [
      'refuse an artifact of unknown type',
      { artifacts: { allow: ['*'] } },
      { kind: 'artifact' },
      ['artifacts: artifacts of type unknown are not allowed here'],
    ],
    [
      'deny media types',
      { mediaTypes: { deny: ['*+zstd'] } },
      { mediaTypes: ['a/b', 'c/d+ZSTD'] },
      ['mediaTypes: media type c/d+ZSTD is not allowed here'],
    ],
    [
      'allow media types',
      { mediaTypes: { allow: ['a/*'] } },
      { mediaTypes: ['a/b', 'c/d'] },
      ['mediaTypes: media type c/d is not allowed here'],
    ],
    [
      'refuse unknown media types',
      { mediaTypes: { allow: ['*'] } },
      {},
      ['mediaTypes: its media types are not known'],
    ],
    [
      'allow exactly the largest size',
      { size: { maxBytes: 10, maxLayers: 2 } },
      { sizeBytes: 10, layerCount: 2 },
      [],
    ],
    [
      'refuse one byte more',
      { size: { maxBytes: 10 } },
      { sizeBytes: 11, layerCount: 2 },
      ['size: it has 11 bytes, at most 10 are allowed'],
    ],
    [
      'refuse one layer more',
      { size: { maxLayers: 2 } },
      { sizeBytes: 10, layerCount: 3 },
      ['size: it has 3 layers, at most 2 are allowed'],
    ],
    ['refuse an unknown size', { size: { maxLayers: 2 } }, { sizeBytes: 1 }, ['size: its size is not known']],
  ] as const) {
    it(title, () => {
      assert.deepEqual(reasonsFor(rules, facts), reasons);
    });
  }

  it('are judged at a push by the rules for a push alone', () => {
    const policy = policyOf({ size: { maxLayers: 9 } }, { push: { size: { maxLayers: 1 } } });
    const shape = { kind: 'image', sizeBytes: 1, layerCount: 2 } as const;
    const refused = judgePush(effectiveOf([policy]), shape);
    assert.deepEqual(
      refused.reasons.map((reason) => reason.text),
      ['it has 2 layers, at most 1 are allowed'],
    );
    const warned = judgePush(effectiveOf([{ ...policy, mode: 'warn' }]), shape);
    assert.deepEqual([warned.reasons.length, warned.warnings.length], [0, 1]);
    assert.deepEqual(judgePush(effectiveOf([policyOf({ size: { maxLayers: 1 } })]), shape).reasons, []);
  });

  it('keep tags immutable by pattern, where the policy enforces', () => {
    const policy = policyOf({ secrets: 'block' }, { push: { immutableTags: ['v*', 'stable'] } });
    const effective = effectiveOf([policy]);
    assert.deepEqual(
      ['v1.0', 'stable', 'latest'].map((tag) => immutableBy(effective, tag)),
      ['baseline', 'baseline', undefined],
    );
    assert.equal(immutableBy(effectiveOf([{ ...policy, mode: 'warn' }]), 'v1.0'), undefined);
  });
});

describe('rules about packages and licenses', () => {
  const bill = (name: string, version: string, ...licenses: string[]) => ({
    packages: [{ name, version, licenses }],
  });
  for (const [title, rules, facts, isRefused] of [
    ['deny a package by name', { packages: { deny: ['log4j-*'] } }, bill('log4j-core', '2.14'), true],
    ['deny one version', { packages: { deny: ['xz@5.6.0'] } }, bill('xz', '5.6.0'), true],
    ['leave another version', { packages: { deny: ['xz@5.6.0'] } }, bill('xz', '5.6.2'), false],
    ['deny a license', { licenses: { deny: ['AGPL-*'] } }, bill('a', '1', 'MIT', 'agpl-3.0-only'), true],
    [
      'leave a choice that is allowed',
      { licenses: { deny: ['GPL-*'] } },
      bill('a', '1', 'GPL-2.0-only OR MIT'),
      false,
    ],
    [
      'deny when every choice is denied',
      { licenses: { deny: ['*GPL-*'] } },
      bill('a', '1', 'GPL-2.0-only OR LGPL-2.1-only'),
      true,
    ],
    [
      'deny when a part is denied',
      { licenses: { deny: ['GPL-*'] } },
      bill('a', '1', 'MIT AND GPL-2.0-only'),
      true,
    ],
    [
      'read brackets strictly',
      { licenses: { deny: ['GPL-*'] } },
      bill('a', '1', 'MIT OR (BSD-3-Clause AND GPL-2.0-only)'),
      true,
    ],
    ['refuse what has no SBOM', { packages: { deny: ['a'] } }, {}, true],
    ['refuse what has no SBOM, for licenses too', { licenses: { deny: ['a'] } }, {}, true],
    ['leave artifacts alone', { packages: { deny: ['a'] } }, { kind: 'artifact' }, false],
  ] as const) {
    it(title, () => {
      assert.equal(reasonsFor(rules, facts).length > 0, isRefused);
    });
  }

  it('name three packages and how many more', () => {
    const packages = ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name, version: '1', licenses: [] }));
    assert.deepEqual(reasonsFor({ packages: { deny: ['*'] } }, { packages }), [
      'packages: packages not allowed here: a@1, b@1, c@1 +2 more',
    ]);
  });
});

describe('rules about signatures and attestations', () => {
  for (const [title, rules, attested, isRefused] of [
    ['need a signature', { signatures: { by: ['release'] } }, [], true],
    ['take one of several', { signatures: { by: ['old', 'release'] } }, [{ by: 'release' }], false],
    ['take none of anybody else', { signatures: { by: ['release'] } }, [{ by: 'ci' }], true],
    ['take no attestation for a signature', { signatures: { by: ['ci'] } }, [BUILT], true],
    ['need an attestation', provenance(), [{ by: 'ci' }], true],
    ['take one of its type', provenance(), [BUILT], false],
    ['take none of another type', provenance(), [{ ...BUILT, predicateType: 'other' }], true],
    ['take none of another signer', provenance(), [{ ...BUILT, by: 'release' }], true],
    [
      'check builder and source',
      provenance({ builder: ['https://github.com/corp/*'], source: ['*/corp/app'] }),
      [BUILT],
      false,
    ],
    ['refuse another builder', provenance({ builder: ['https://gitlab.com/*'] }), [BUILT], true],
    ['refuse another source', provenance({ source: ['*/corp/other'] }), [BUILT], true],
    [
      'refuse a source that is not stated',
      provenance({ source: ['*'] }),
      [{ by: 'ci', predicateType: PROVENANCE }],
      true,
    ],
  ] as const) {
    it(title, () => {
      assert.equal(reasonsFor(rules, { attested }).length > 0, isRefused);
    });
  }
});

describe('why nobody is believed to have signed', () => {
  const rules = { signatures: { by: ['release'] } };
  it('names the signatures that count for nothing, the first three of them', () => {
    assert.deepEqual(reasonsFor(rules, { rejected: ['a', 'b', 'c', 'd', 'e'] }), [
      'signatures: not signed by release: a; b; c; +2 more',
    ]);
    assert.deepEqual(reasonsFor(rules, {}), [
      'signatures: not signed by release: nothing here vouches for it',
    ]);
  });

  it('ends with the trust in a key, to the millisecond, unless another one lasts', () => {
    const until = (untilMs: number) => ({ by: 'release', untilMs });
    assert.deepEqual(reasonsFor(rules, { attested: [until(NOW_MS + 1)] }), []);
    assert.deepEqual(reasonsFor(rules, { attested: [until(NOW_MS), { by: 'release' }] }), []);
    assert.match(
      reasonsFor(rules, { attested: [until(NOW_MS)] })[0] ?? '',
      /^signatures: not signed by release: signed by release, trusted until \d{4}-\d\d-\d\d$/,
    );
    const facts = factsOf({ attested: [until(NOW_MS + 5), until(NOW_MS + 9)] });
    const verdict = judge(facts, facts.digest, effectiveOf([policyOf(rules)]), NOW_MS);
    assert.equal(verdict.validUntilMs, NOW_MS + 9);
  });

  it('V-31: is asked of no signature, but of whatever else is labelled as one', () => {
    const signature = {
      kind: 'artifact',
      sizeBytes: 900,
      mediaTypes: [
        'application/vnd.oci.image.manifest.v1+json',
        'application/vnd.oci.empty.v1+json',
        'application/vnd.dev.sigstore.bundle.v0.3+json',
      ],
    } as const;
    const layer = 'application/vnd.oci.image.layer.v1.tar+gzip';
    assert.deepEqual(reasonsFor(rules, signature), []);
    for (const other of [
      { ...signature, kind: 'index' as const },
      { ...signature, sizeBytes: 2 ** 21 },
      { kind: signature.kind, mediaTypes: signature.mediaTypes },
      { ...signature, mediaTypes: signature.mediaTypes.slice(0, 2) },
      { ...signature, mediaTypes: [...signature.mediaTypes, layer] },
      { ...signature, mediaTypes: [layer], artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json' },
    ]) {
      assert.equal(reasonsFor(rules, other).length, 1);
    }
  });
});

describe('a denied digest', () => {
  const denied = factsOf({ denied: 'carries a worm' });
  it('is refused where policies only warn, where there is none, and whatever is waived', () => {
    for (const effective of [
      effectiveOf([]),
      effectiveOf([policyOf({ secrets: 'block' }, { mode: 'warn' })]),
      effectiveOf([policyOf({ secrets: 'block' })], [{ ...waiverOf(), rule: 'denied' }]),
    ]) {
      const verdict = judge(denied, IMAGE, effective, NOW_MS);
      assert.equal(verdict.outcome, 'block');
      assert.deepEqual(
        verdict.reasons.map(({ rule, text }) => `${rule}: ${text}`),
        ['denied: an administrator denied it: carries a worm'],
      );
    }
  });
});

describe('a waiver for a rule', () => {
  const { finding: _, ...plain } = waiverOf();
  const old = factsOf({ createdAtMs: NOW_MS - 400 * DAY_MS });
  const outcomeOf = (policy: Policy, waiver: object, facts = old) =>
    judge(facts, IMAGE, effectiveOf([policy], [{ ...plain, ...waiver }]), NOW_MS);

  it('excuses it until its end', () => {
    const verdict = outcomeOf(policyOf({ age: { maxMs: 180 * DAY_MS } }), { rule: 'age' });
    assert.deepEqual([verdict.outcome, verdict.validUntilMs], ['allow', plain.endsAtMs]);
  });

  it('excuses no other rule', () => {
    assert.equal(outcomeOf(policyOf({ age: { maxMs: 180 * DAY_MS } }), { rule: 'size' }).outcome, 'block');
  });

  it('excuses no missing scan, but an image that no scanner can read', () => {
    const policy = policyOf({ scanned: { by: ['inspector'], withinMs: DAY_MS } });
    assert.equal(outcomeOf(policy, { rule: 'scanned' }, factsOf({ scans: [] })).outcome, 'unscanned');
    const unread = { by: 'inspector', atMs: NOW_MS, version: '1', status: 'unscannable' } as const;
    assert.equal(outcomeOf(policy, { rule: 'scanned' }, factsOf({ scans: [unread] })).outcome, 'allow');
  });

  it('excuses no malware', () => {
    const facts = factsOf({ findings: [findingOf({ kind: 'malware' })] });
    assert.equal(outcomeOf(policyOf({ malware: 'block' }), { rule: 'malware' }, facts).outcome, 'block');
  });

  it('counts only when approved, where the policy asks for it', () => {
    const policy = policyOf({ age: { maxMs: 180 * DAY_MS } }, { waivers: 'approved' });
    assert.equal(outcomeOf(policy, { rule: 'age' }).outcome, 'block');
    assert.equal(outcomeOf(policy, { rule: 'age', approvedBy: 'bob' }).outcome, 'allow');
  });
});

describe('rules about registries', () => {
  const judgedFrom = (registry?: string) => {
    const policies = [policyOf({ registries: { allow: ['embedded', '*.corp:5000'] } })];
    const effective = effectivePolicies(policies, [], repositoryOf('a/b'), { registry });
    const verdict = judge(factsOf(), IMAGE, effective, NOW_MS);
    const list = judgeIndex(IMAGE, [verdict], effective, { facts: undefined, nowMs: NOW_MS });
    return [verdict.reasons.map(({ text }) => text), list.outcome, canonicalText(effective)] as const;
  };

  it('admit what comes from one that is named, and refuse all else, indexes as well', () => {
    for (const registry of ['embedded', 'reg.corp:5000']) {
      assert.deepEqual(judgedFrom(registry).slice(0, 2), [[], 'allow']);
    }
    for (const registry of ['reg.corp', 'hub.test', undefined]) {
      const text = `images of ${registry ?? 'an unknown registry'} are not allowed here`;
      assert.deepEqual(judgedFrom(registry).slice(0, 2), [[text], 'block']);
    }
  });

  it('share no verdict between two registries', () => {
    assert.notEqual(judgedFrom('embedded')[2], judgedFrom('hub.test')[2]);
  });
});
