/** How one client is told to go through the gateway, and nowhere else. */
export interface SetupRequest {
  /** `reg.corp:8443` */
  readonly host: string;
  /** Certificates in PEM. */
  readonly ca: string;
  readonly mirrors: readonly Mirror[];
}

/** `docker.io=hub`: what the client calls docker.io/X is HOST/hub/X. */
export interface Mirror {
  readonly registry: string;
  readonly prefix: string;
}

/** One file as it is to be; `text` gets what is there now, to keep what is none of our business. */
export interface PlannedFile {
  /** Absolute, below the root of the machine that is set up. */
  readonly path: string;
  /** @throws {Error} what is there cannot be read as what it should be. */
  readonly text: (before: string | undefined) => string;
}

export interface Plan {
  readonly files: readonly PlannedFile[];
  /** What no file can do: restarts, and what must be closed elsewhere. */
  readonly notes: readonly string[];
}

export function whole(path: string, text: string): PlannedFile {
  return { path, text: () => text };
}

/** A text that TOML and YAML read as we mean it: both take JSON's strings. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}
