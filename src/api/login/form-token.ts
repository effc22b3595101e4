import { timingSafeEqual } from 'node:crypto';
import type { Random } from '../../base/index.ts';

const BYTES = 32;
const SHAPE = /^[\w-]{43}$/;

/** Goes into the page and into a cookie: only a page of ours knows what to post beside the cookie (W-01). */
export function newFormToken(random: Random): string {
  return Buffer.from(random.bytes(BYTES)).toString('base64url');
}

/** Whether the form was made for the browser that posts it. */
export function isFormTokenOf(shown: string | undefined, cookie: string | undefined): boolean {
  if (shown === undefined || cookie === undefined || !SHAPE.test(shown) || !SHAPE.test(cookie)) return false;
  return timingSafeEqual(Buffer.from(shown), Buffer.from(cookie));
}
