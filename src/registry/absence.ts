/** The answer about a repository that is not there: the same where whoever asks may not know whether it is. */
import { OciError } from '../oci/errors.ts'
import type { Client } from './client.ts'

export function noRepository(name: string, { hasRules }: Pick<Client, 'hasRules'>): OciError {
  const orDenied = hasRules ? ', or no rule of "access" lets you pull it' : ''
  return new OciError('NAME_UNKNOWN', `There is no repository ${name}${orDenied}.`)
}
