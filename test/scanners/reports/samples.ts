/** Reports as the tools write them, shortened; each is about the digests given. */
interface About {
  readonly manifest: string;
  readonly config: string;
}

export function trivyReport({ manifest, config }: About) {
  return {
    SchemaVersion: 2,
    Trivy: { Version: '0.74.0' },
    CreatedAt: '2026-05-30T08:00:00.123456789Z',
    ArtifactName: 'reg.corp/team/app:1.4',
    ArtifactType: 'container_image',
    Metadata: {
      OS: { Family: 'debian', Name: '9.13', EOSL: true },
      ImageID: config,
      RepoDigests: [`reg.corp/team/app@${manifest}`],
    },
    Results: [
      {
        Target: 'reg.corp/team/app:1.4 (debian 9.13)',
        Class: 'os-pkgs',
        Type: 'debian',
        Packages: [
          { ID: 'openssl@1.1.0', Name: 'openssl', Version: '1.1.0', Licenses: ['OpenSSL'] },
          {
            ID: 'bash@4.4',
            Name: 'bash',
            Version: '4.4',
            Licenses: ['GPL-3.0-or-later', 'GPL-3.0-or-later'],
          },
        ],
        Vulnerabilities: [
          {
            VulnerabilityID: 'CVE-2026-1234',
            PkgName: 'openssl',
            InstalledVersion: '1.1.0',
            FixedVersion: '1.1.1',
            Status: 'fixed',
            Severity: 'CRITICAL',
            SeveritySource: 'nvd',
            Title: 'openssl: \u001b[31mheap overflow',
            PublishedDate: '2026-04-01T10:15:00Z',
            CVSS: {
              nvd: { V2Score: 7.5, V3Score: 9.8 },
              redhat: { V3Score: 8.1 },
            },
          },
          { VulnerabilityID: 'CVE-2026-2', PkgName: 'bash', InstalledVersion: '4.4', Severity: 'UNKNOWN' },
        ],
      },
      {
        Target: 'Dockerfile',
        Class: 'config',
        Misconfigurations: [
          { ID: 'DS002', Title: 'Image user should not be root', Severity: 'HIGH', Status: 'FAIL' },
          { ID: 'DS026', Title: 'No HEALTHCHECK', Severity: 'LOW', Status: 'PASS' },
        ],
      },
      {
        Target: '/app/.env',
        Class: 'secret',
        Secrets: [{ RuleID: 'aws-access-key-id', Severity: 'CRITICAL', Title: 'AWS Access Key ID' }],
      },
    ],
  };
}

export function grypeReport({ manifest, config }: About) {
  return {
    matches: [
      {
        vulnerability: {
          id: 'GHSA-aaaa-bbbb-cccc',
          severity: 'High',
          description: 'prototype pollution',
          cvss: [
            { version: '3.1', metrics: { baseScore: 7.4 } },
            { version: '4.0', metrics: { baseScore: 8.7 } },
          ],
          fix: { versions: ['4.17.21'], state: 'fixed' },
          epss: [{ cve: 'CVE-2026-77', epss: 0.42, percentile: 0.97, date: '2026-05-29' }],
          knownExploited: [{ cve: 'CVE-2026-77', dateAdded: '2026-05-01' }],
        },
        relatedVulnerabilities: [{ id: 'CVE-2026-77' }],
        matchDetails: [],
        artifact: {
          name: 'lodash',
          version: '4.17.20',
          type: 'npm',
          locations: [{ path: '/app/node_modules/lodash/package.json' }],
        },
      },
      {
        vulnerability: {
          id: 'CVE-2026-78',
          severity: 'Negligible',
          fix: { versions: [], state: 'not-fixed' },
        },
        relatedVulnerabilities: [],
        artifact: { name: 'tar', version: '1.34' },
      },
    ],
    ignoredMatches: [],
    source: {
      type: 'image',
      target: { userInput: 'team/app:1.4', imageID: config, manifestDigest: manifest, repoDigests: [] },
    },
    distro: { name: 'debian', version: '12' },
    descriptor: { name: 'grype', version: '0.121.2', timestamp: '2026-05-30T08:00:00Z' },
  };
}

export function sarifReport({ manifest, config }: About) {
  return {
    version: '2.1.0',
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    runs: [
      {
        tool: {
          driver: {
            name: 'Trivy',
            version: '0.74.0',
            rules: [
              {
                id: 'CVE-2026-1234',
                shortDescription: { text: 'openssl: heap overflow' },
                properties: { 'security-severity': '9.8', tags: ['vulnerability', 'security', 'CRITICAL'] },
              },
              { id: 'aws-key', properties: { tags: ['secret', 'security'] } },
            ],
          },
        },
        results: [
          {
            ruleId: 'CVE-2026-1234',
            ruleIndex: 0,
            level: 'error',
            message: { text: 'Package: openssl' },
            locations: [{ physicalLocation: { artifactLocation: { uri: 'team/app' } } }],
          },
          {
            ruleId: 'aws-key',
            level: 'warning',
            message: { text: 'a key' },
            suppressions: [{ kind: 'external' }],
          },
          { ruleId: 'unheard-of', level: 'error', message: { text: 'who knows' } },
        ],
        properties: { imageName: 'team/app:1.4', repoDigests: [`team/app@${manifest}`], imageID: config },
      },
    ],
  };
}

export function cycloneDxReport({ manifest, config }: About) {
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    metadata: {
      timestamp: '2026-05-30T08:00:00Z',
      tools: { components: [{ type: 'application', name: 'trivy', version: '0.74.0' }] },
      component: {
        'bom-ref': 'image',
        type: 'container',
        name: 'team/app:1.4',
        purl: `pkg:oci/app@${manifest.replace(':', '%3A')}?arch=amd64`,
        properties: [{ name: 'aquasecurity:trivy:ImageID', value: config }],
      },
    },
    components: [
      {
        'bom-ref': 'pkg:npm/%40corp/lib@2.0.0',
        type: 'library',
        group: '@corp',
        name: 'lib',
        version: '2.0.0',
        licenses: [{ license: { id: 'AGPL-3.0-only' } }],
        components: [
          { type: 'library', name: 'inner', version: '1', licenses: [{ expression: 'MIT OR GPL-2.0' }] },
        ],
      },
    ],
    vulnerabilities: [
      {
        id: 'CVE-2026-9',
        published: '2026-03-01T00:00:00Z',
        ratings: [{ score: 7.1, severity: 'high', method: 'CVSSv31' }],
        affects: [{ ref: 'pkg:npm/%40corp/lib@2.0.0' }],
      },
    ],
  };
}

export function spdxReport({ manifest, config }: About) {
  return {
    spdxVersion: 'SPDX-2.3',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: 'team/app',
    creationInfo: {
      created: '2026-05-30T08:00:00Z',
      creators: ['Organization: Anchore', 'Tool: syft-1.57.0'],
    },
    packages: [
      {
        SPDXID: 'SPDXRef-image',
        name: 'team/app',
        versionInfo: manifest,
        primaryPackagePurpose: 'CONTAINER',
        attributionTexts: [`ImageID: ${config}`],
      },
      {
        SPDXID: 'SPDXRef-busybox',
        name: 'busybox',
        versionInfo: '1.36.1',
        licenseDeclared: 'GPL-2.0-only',
        licenseConcluded: 'NOASSERTION',
      },
    ],
    relationships: [
      {
        spdxElementId: 'SPDXRef-DOCUMENT',
        relationshipType: 'DESCRIBES',
        relatedSpdxElement: 'SPDXRef-image',
      },
    ],
  };
}
