/** The one place where an error becomes an answer (distribution spec, "Error Codes"). */
import { OciError } from '../oci/errors.ts'
import { challenge } from './access/basic.ts'
import { type Answer, jsonAnswer } from './answer.ts'
import { commonHeaders } from './headers.ts'

/** An OciError says itself what the client is told; of anything else the client learns nothing but that it happened. */
export function errorAnswer(error: unknown): Answer {
  const known =
    error instanceof OciError ? error : new OciError('INTERNAL', 'The registry has failed; its log says more.')
  const body = { errors: [{ code: known.code, message: known.detail, detail: known.facts }] }
  const answer = jsonAnswer(known.status, 'application/json', JSON.stringify(body))
  if (known.retryAfter !== undefined) answer.headers['Retry-After'] = String(Math.max(0, Math.ceil(known.retryAfter)))
  if (known.status === 401) answer.headers['WWW-Authenticate'] = challenge
  // Where the request itself was uncertain, so is where the next one on this connection starts.
  const isUncertain = known.code === 'UNSUPPORTED' && known.status === 400
  if (isUncertain || known.endsConnection) answer.headers.Connection = 'close'
  return answer
}

/** For requests that the server around the registry cannot make a Request of: the `errorHandler` of its listener. */
export function renderServerError(error: unknown): Response {
  const isTheirs = error instanceof Error && error.name === 'RequestError'
  const answer = errorAnswer(
    isTheirs ? new OciError('UNSUPPORTED', `The request is malformed: ${error.message}.`, { status: 400 }) : error,
  )
  return new Response(answer.body, { status: answer.status, headers: { ...commonHeaders(), ...answer.headers } })
}
