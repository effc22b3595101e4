/** As FIRST publishes it. */
export function epssOf(
  rows: readonly { readonly cve: string; readonly score: number; readonly percentile: number }[],
  day = '2026-05-31',
): string {
  const lines = rows.map(({ cve, score, percentile }) => `${cve},${score},${percentile}\n`);
  return `#model_version:v2025.03.14,score_date:${day}T00:00:00Z\ncve,epss,percentile\n${lines.join('')}`;
}

export const EPSS = epssOf([
  { cve: 'CVE-1999-0001', score: 0.01025, percentile: 0.76816 },
  { cve: 'CVE-2026-7777', score: 0.94, percentile: 0.999 },
]);

/** As CISA publishes it. */
export function kevOf(cves: readonly string[], released = '2026-05-30T17:00:00.000Z'): string {
  return JSON.stringify({
    title: 'CISA Catalog of Known Exploited Vulnerabilities',
    catalogVersion: released.slice(0, 10).replaceAll('-', '.'),
    dateReleased: released,
    count: cves.length,
    vulnerabilities: cves.map((cveID) => ({
      ...{ cveID, vendorProject: 'Corp', product: 'App', vulnerabilityName: 'A hole in App' },
      ...{ dateAdded: '2026-05-20', dueDate: '2026-06-10', shortDescription: 'A hole.' },
      ...{ requiredAction: 'Update.', knownRansomwareCampaignUse: 'Unknown', notes: '', cwes: ['CWE-787'] },
    })),
  });
}

export const KEV = kevOf(['CVE-2026-7777']);
