/** What is logged of a request that failed: no header, no query. */
import type { Log, LogFields } from '../observe/log.ts'
import { OciError } from '../oci/errors.ts'

/** @param asked what was asked for, in a few words of ours */
export function logError(log: Log, error: unknown, asked: LogFields): void {
  if (!(error instanceof OciError)) log.error('request failed', { ...asked, error })
  else if (error.status >= 500) log.warn('request not answered', { ...asked, code: error.code, error })
  else log.debug('request refused', { ...asked, code: error.code, detail: error.detail })
}
