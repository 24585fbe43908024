/** Clients that speak HTTP where TLS is wanted: they are told so, instead of finding their connection closed. */
import type { Server } from 'node:http'
import { Socket } from 'node:net'
import { Server as TlsServer, type TLSSocket } from 'node:tls'
import { OciError } from '../oci/errors.ts'
import { errorAnswer } from './errors.ts'
import { commonHeaders } from './headers.ts'

/** TLS has given up then, and nothing has been sent: the connection under it still takes what it is given, and ends with it. */
export function answerPlaintext(server: Server): void {
  if (!(server instanceof TlsServer)) return
  server.on('tlsClientError', (error: NodeJS.ErrnoException, encrypted: TLSSocket) => {
    const plain = error.code === 'ERR_SSL_HTTP_REQUEST' ? socketUnder(encrypted) : undefined
    if (!plain?.writable) return
    plain.end(answerText())
  })
}

function answerText(): string {
  const refusal = new OciError('UNSUPPORTED', 'This port takes TLS alone: say https:// instead of http://.', {
    status: 400,
  })
  const { headers, body } = errorAnswer(refusal)
  const lines = Object.entries({ ...commonHeaders(), ...headers }).map(([name, value]) => `${name}: ${value}`)
  return ['HTTP/1.1 400 Bad Request', ...lines, '', Buffer.from(body ?? '').toString()].join('\r\n')
}

/** It has no public name; where it should be gone, such a connection is closed without an answer. */
function socketUnder(encrypted: TLSSocket): Socket | undefined {
  const plain: unknown = Reflect.get(encrypted, '_parent')
  return plain instanceof Socket ? plain : undefined
}
