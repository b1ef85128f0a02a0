/** Which settings are secrets, by their keys: what is never logged, never read back, and refused in a file that others can read. */

export const SECRET_KEY = /(^|_)(password|passwd|passphrase|secret|token|api_key)$/i;
