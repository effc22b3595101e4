/** Images with one fault each, and how each is mended. */
import { createHash } from 'node:crypto';
import {
  type BuiltImage,
  buildImage,
  type ImageConfigOptions,
  type ImageEntry,
  type LayerSource,
} from '../../support/image.ts';

export type FaultClass = 'secret' | 'malware' | 'misconfiguration' | 'age' | 'unscannable' | 'foreign';

export interface Fault {
  readonly name: string;
  readonly of: FaultClass;
  /** The rule that refuses it. */
  readonly rule: string;
  /** What the sentence of the refusal must name: the finding's id, or why. */
  readonly says: RegExp;
  readonly faulty: () => Promise<BuiltImage>;
  readonly mended: () => Promise<BuiltImage>;
  /** Excuses the faulty image itself: arguments of `dockgate waiver add`. */
  readonly waiver?: readonly string[];
}

/** Nothing to complain about. */
const SOUND: ImageConfigOptions = { user: '1000', healthcheck: ['CMD', '/app/check'] };

/** Files that are in no other image, so that no two faults share a blob. */
function own(name: string, state: string): readonly ImageEntry[] {
  return [{ path: 'app/name', data: `${name}, ${state}` }];
}

/** An image without a fault but for these. */
export function imageWith(
  name: string,
  more: {
    readonly layers?: readonly LayerSource[];
    readonly config?: ImageConfigOptions;
    readonly state?: string;
  } = {},
): Promise<BuiltImage> {
  const { layers = [], config = {}, state = 'faulty' } = more;
  const label = createHash('sha256').update(`${name} ${state}`).digest('hex').slice(0, 12);
  return buildImage({
    config: { ...SOUND, labels: { build: label }, ...config },
    layers: [own(name, state), ...layers],
  });
}

export function soundImage(name: string): Promise<BuiltImage> {
  return imageWith(name, { state: 'mended' });
}
