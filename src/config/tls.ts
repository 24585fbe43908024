/** The certificate that we show to clients, and its key. */
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { type Secret, secret } from '../oci/secret.ts'
import { whyUnreadable } from './problem.ts'
import { readSecretFile } from './secret.ts'

/** Absolute paths of PEM files. */
export interface TlsFiles {
  certificate: string
  key: string
}

export interface TlsPair {
  /** PEM. */
  certificate: string
  key: Secret
}

/** @throws Error that says what is wrong with which file, never with the key */
export function readTlsFiles(files: TlsFiles, env: NodeJS.ProcessEnv): TlsPair {
  const certificate = readable(files.certificate, (path) => readFileSync(path, 'utf8'))
  if (!certificate.includes('-----BEGIN CERTIFICATE-----'))
    throw new Error(`names ${files.certificate}, which holds no PEM certificate`)
  const key = readable(files.key, (path) => readSecretFile(path, env))
  if (!/-----BEGIN (?:(?:RSA|EC) )?PRIVATE KEY-----/.test(key))
    throw new Error(`names ${files.key}, which holds no PEM private key without a passphrase`)
  if (!fit(certificate, key)) throw new Error(`names ${files.key}, which is not the key of ${files.certificate}`)
  return { certificate, key: secret(key) }
}

/** What OpenSSL says of a pair that does not fit helps nobody. */
function fit(cert: string, key: string): boolean {
  try {
    createSecureContext({ cert, key })
    return true
  } catch {
    return false
  }
}

function readable(path: string, read: (path: string) => string): string {
  try {
    return read(path)
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
    throw new Error(`names ${path}, which ${whyUnreadable(error)}`, { cause: error })
  }
}
