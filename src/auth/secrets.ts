import { hash, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Random } from '../base/index.ts';

/** What a robot shows in place of a password. */
export const ROBOT_PREFIX = 'dgr_';
/** What a person shows in place of the password: a personal access token. */
export const PERSONAL_PREFIX = 'dgp_';
/** What a client keeps to get new tokens. */
export const REFRESH_PREFIX = 'dgf_';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SECRET_BYTES = 32;
const BODY_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const BODY = /^[0-9A-Za-z]{49}$/;
const REFRESH = /^dgf_([a-z2-7]{26})_([0-9A-Za-z]{49})$/;

/**
 * A robot's new secret: `dgr_`, 256 random bits and a checksum. The fixed beginning and the checksum let a leak
 * scanner tell it from anything else, and let us refuse a typing error without a look at the database.
 */
export function newRobotSecret(random: Random): string {
  return `${ROBOT_PREFIX}${newBody(random)}`;
}

export function isRobotSecret(text: string): boolean {
  return text.startsWith(ROBOT_PREFIX) && isBody(text.slice(ROBOT_PREFIX.length));
}

/** A personal access token; of the same form as a robot's secret, so that a leak scanner needs one rule. */
export function newPersonalSecret(random: Random): string {
  return `${PERSONAL_PREFIX}${newBody(random)}`;
}

export function isPersonalSecret(text: string): boolean {
  return text.startsWith(PERSONAL_PREFIX) && isBody(text.slice(PERSONAL_PREFIX.length));
}

export interface RefreshSecret {
  readonly id: string;
  readonly secret: string;
}

export function newRefreshSecret(id: string, random: Random): RefreshSecret {
  return { id, secret: newBody(random) };
}

/** `dgf_<id>_<secret>`: the id finds the row, the secret proves it. */
export function printRefreshSecret({ id, secret }: RefreshSecret): string {
  return `${REFRESH_PREFIX}${id}_${secret}`;
}

export function parseRefreshSecret(text: string): RefreshSecret | undefined {
  const [, id, secret] = REFRESH.exec(text) ?? [];
  return id !== undefined && secret !== undefined && isBody(secret) ? { id, secret } : undefined;
}

/** How a random secret is kept. It has 256 bits, so one fast hash is enough: there is nothing to guess. */
export function hashSecret(secret: string): string {
  return `sha256:${hash('sha256', secret, 'hex')}`;
}

/** Compares in a time that does not depend on where the two differ. */
export function isSecretOf(secret: string, secretHash: string): boolean {
  const shown = Buffer.from(hashSecret(secret));
  const kept = Buffer.from(secretHash);
  return shown.length === kept.length && timingSafeEqual(shown, kept);
}

function newBody(random: Random): string {
  const bytes = random.bytes(SECRET_BYTES);
  const body = base62(BigInt(`0x${Buffer.from(bytes).toString('hex')}`), BODY_LENGTH);
  return body + checksum(body);
}

function isBody(text: string): boolean {
  return BODY.test(text) && checksum(text.slice(0, BODY_LENGTH)) === text.slice(BODY_LENGTH);
}

function checksum(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_LENGTH);
}

function base62(value: bigint, length: number): string {
  let rest = value;
  let text = '';
  while (text.length < length) {
    text = ALPHABET.charAt(Number(rest % 62n)) + text;
    rest /= 62n;
  }
  return text;
}
