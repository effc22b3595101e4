import { readClamdAddress, type Settings } from './schema.ts';

/** What looks into images. */
export interface ScannersConfig {
  readonly inspector: InspectorConfig;
  /** Absent: not used. */
  readonly clamav: ClamavConfig | undefined;
}

export interface InspectorConfig {
  readonly isEnabled: boolean;
  /** Of one blob as it is stored. */
  readonly compressedBytesMax: number;
  readonly plainBytesMax: number;
  readonly blobMsMax: number;
}

export interface ClamavConfig {
  readonly address: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly silenceMsMax: number;
}

export function toScanners({ inspector, clamav }: Settings['scanners']): ScannersConfig {
  const address = clamav.address === undefined ? undefined : readClamdAddress(clamav.address);
  return {
    inspector: {
      isEnabled: inspector.enabled,
      compressedBytesMax: inspector.blobBytesMax,
      plainBytesMax: inspector.plainBytesMax,
      blobMsMax: inspector.blobTimeMax,
    },
    clamav: address && { address, silenceMsMax: clamav.silence },
  };
}
