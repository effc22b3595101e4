/** A span of bytes, both ends included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads a Range header against content of `size` bytes.
 *
 * @returns `undefined` when the whole content is to be sent (no header, another unit, several ranges: RFC 9110
 *   lets a server ignore those), `'unsatisfiable'` for 416.
 * @see RFC 9110, 14.2; OCI distribution-spec 1.1, "Pulling blobs".
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | 'unsatisfiable' | undefined {
  const match = header === undefined ? null : /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim());
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  if (match[1] === '') {
    const suffix = Number(match[2]);
    return suffix === 0 || size === 0
      ? 'unsatisfiable'
      : { first: Math.max(0, size - suffix), last: size - 1 };
  }
  const first = Number(match[1]);
  const last = match[2] === '' ? size - 1 : Math.min(Number(match[2]), size - 1);
  // `5-2` is no range: RFC 9110 lets a server ignore it or refuse it; registries refuse.
  return last < first ? 'unsatisfiable' : { first, last };
}

/**
 * Reads the Content-Range of an upload chunk: `0-1023`, without unit; `bytes 0-1023/*` is tolerated.
 * @see OCI distribution-spec 1.1, "Pushing a blob in chunks".
 */
export function parseChunkRange(header: string): ByteRange | undefined {
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?$/.exec(header.trim());
  if (!match) return undefined;
  const range = { first: Number(match[1]), last: Number(match[2]) };
  return range.last < range.first ? undefined : range;
}
