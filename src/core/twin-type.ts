/** The twin types that come with twinbox; the configuration may add others. */
export const TWIN_TYPES = [
  'equipment',
  'system',
  'process',
  'device',
  'facility',
  'environment',
  'vehicle',
  'station',
  'battery_pack',
  'custom',
] as const;
