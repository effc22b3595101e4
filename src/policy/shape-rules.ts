import { against, CONTENT, type Opinion } from './opinion.ts';
import type { Facts, Rules } from './types.ts';
import { matchesAny } from './wildcard.ts';

/** What a manifest is, as far as rules about its shape ask: known before anything is scanned. */
export type Shape = Pick<Facts, 'kind' | 'sizeBytes' | 'layerCount' | 'mediaTypes' | 'artifactType'>;

/** Says nothing where nothing is known yet: the scan that every policy needs makes it known. */
export function judgeShape(
  rules: Pick<Rules, 'artifacts' | 'mediaTypes' | 'size'>,
  shape: Shape | undefined,
): readonly Opinion[] {
  if (!shape) return [];
  return [
    judgeArtifacts(rules.artifacts, shape),
    judgeMediaTypes(rules.mediaTypes, shape),
    judgeSize(rules.size, shape),
  ];
}

function judgeArtifacts(rule: Rules['artifacts'], { kind, artifactType }: Shape): Opinion {
  if (!rule || kind !== 'artifact') return CONTENT;
  if (rule === 'block') return against('artifacts', 'artifacts that are no images are not allowed here');
  if (artifactType !== undefined && matchesAny(rule.allow, artifactType)) return CONTENT;
  return against('artifacts', `artifacts of type ${artifactType ?? 'unknown'} are not allowed here`);
}

function judgeMediaTypes(rule: Rules['mediaTypes'], { mediaTypes }: Shape): Opinion {
  if (!rule) return CONTENT;
  if (!mediaTypes) return against('mediaTypes', 'its media types are not known');
  const wrong = mediaTypes.find(
    (type) => (rule.deny && matchesAny(rule.deny, type)) || (rule.allow && !matchesAny(rule.allow, type)),
  );
  return wrong === undefined ? CONTENT : against('mediaTypes', `media type ${wrong} is not allowed here`);
}

function judgeSize(rule: Rules['size'], { sizeBytes, layerCount }: Shape): Opinion {
  if (!rule) return CONTENT;
  const { maxBytes = Number.POSITIVE_INFINITY, maxLayers = Number.POSITIVE_INFINITY } = rule;
  if (sizeBytes === undefined || layerCount === undefined) return against('size', 'its size is not known');
  if (sizeBytes > maxBytes)
    return against('size', `it has ${sizeBytes} bytes, at most ${maxBytes} are allowed`);
  if (layerCount > maxLayers) {
    return against('size', `it has ${layerCount} layers, at most ${maxLayers} are allowed`);
  }
  return CONTENT;
}
