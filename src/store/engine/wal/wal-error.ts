/** The log's faults in the house's words. */
import { asGatewayError, GatewayError, messageOf } from '../../../core/errors.ts';

/** `disk_full` for a disk or a quota without room, `store_failed` for everything else. */
export function walError(error: unknown, doing: string): GatewayError {
  const full = error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
  if (full) return new GatewayError('disk_full', `${doing}: ${messageOf(error)}`, { cause: error });
  return asGatewayError(error, 'store_failed', doing);
}
