import * as z from 'zod';

/** How a scanner is called that is a program. */
export interface Tool {
  readonly name: 'grype' | 'trivy';
  /** Asks for the program's and its database's version; it fails without a database. */
  readonly versionArgs: readonly string[];
  /** @returns `undefined` when there is no usable database. */
  readVersion(json: unknown): string | undefined;
  scanArgs(layout: string): readonly string[];
  /** @param database the folder where its database is. */
  environment(database: string): Readonly<Record<string, string>>;
}

const grypeStatus = z.object({
  built: z.string(),
  schemaVersion: z.string().optional(),
  valid: z.literal(true),
});
const trivyVersion = z.object({
  Version: z.string(),
  VulnerabilityDB: z.object({ UpdatedAt: z.string() }),
});

export const GRYPE: Tool = {
  name: 'grype',
  versionArgs: ['db', 'status', '-o', 'json'],
  readVersion(json) {
    const read = grypeStatus.safeParse(json);
    return read.success ? `database ${read.data.schemaVersion ?? ''} of ${read.data.built}` : undefined;
  },
  scanArgs: (layout) => [`oci-dir:${layout}`, '-o', 'json', '--quiet'],
  environment: (database) => ({
    GRYPE_DB_CACHE_DIR: database,
    GRYPE_DB_AUTO_UPDATE: 'false',
    GRYPE_DB_VALIDATE_AGE: 'false',
    GRYPE_CHECK_FOR_APP_UPDATE: 'false',
  }),
};

export const TRIVY: Tool = {
  name: 'trivy',
  versionArgs: ['version', '--format', 'json'],
  readVersion(json) {
    const read = trivyVersion.safeParse(json);
    return read.success
      ? `${read.data.Version}, database of ${read.data.VulnerabilityDB.UpdatedAt}`
      : undefined;
  },
  scanArgs: (layout) => [
    ...[
      'image',
      '--input',
      layout,
      '--format',
      'json',
      '--list-all-pkgs',
      '--scanners',
      'vuln,misconfig,secret',
    ],
    ...['--quiet', '--offline-scan', '--skip-db-update', '--skip-java-db-update', '--skip-check-update'],
    ...['--skip-version-check', '--disable-telemetry'],
  ],
  environment: (database) => ({ TRIVY_CACHE_DIR: database }),
};
