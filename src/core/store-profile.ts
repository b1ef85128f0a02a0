/** The names of the store's profiles: how often it writes and flushes when nobody waits for a reading to be safe. */
export const STORE_PROFILES = ['balanced', 'sd-card'] as const;

export type StoreProfile = (typeof STORE_PROFILES)[number];
