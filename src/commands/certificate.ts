/** The certificate of the listener: it is looked at again every second, since whoever renews it cannot restart us. */
import { stat } from 'node:fs/promises'
import type { Server } from 'node:https'
import { readTlsFiles, type TlsFiles } from '../config/tls.ts'
import type { Log } from '../observe/log.ts'

export interface KeepOptions {
  /** ms between two looks; default 1,000. */
  every?: number
}

/** Options of `https.createServer`. A plaintext client, or one that says nothing, must not hold a socket for Node's two minutes. */
export function tlsOptions(files: TlsFiles) {
  const { certificate, key } = readTlsFiles(files, process.env)
  return { cert: certificate, key: key.reveal(), handshakeTimeout: 10_000, minVersion: 'TLSv1.2' } as const
}

/**
 * Connections that are there stay with the certificate that they began with. A pair that does not fit, as when only one of the two files is
 * new yet, is tried again at every look.
 * @returns what ends it
 */
export function keepCertificate(
  server: Pick<Server, 'setSecureContext'>,
  files: TlsFiles,
  log: Log,
  { every = 1_000 }: KeepOptions = {},
): () => void {
  let used: string | undefined
  let complained: string | undefined
  let looking = false

  async function look(): Promise<void> {
    const seen = await stampOf(files)
    used ??= seen
    if (seen === used) return
    try {
      const { certificate, key } = readTlsFiles(files, process.env)
      server.setSecureContext({ cert: certificate, key: key.reveal(), minVersion: 'TLSv1.2' })
      used = seen
      log.info('the new certificate is in use', { file: files.certificate })
    } catch (error) {
      if (complained === seen) return
      complained = seen
      log.warn('the new certificate cannot be used; the old one stays', { why: reasonOf(error) })
    }
  }

  const timer = setInterval(() => {
    if (looking) return
    looking = true
    void look().finally(() => (looking = false))
  }, every)
  void look()
  timer.unref()
  return () => clearInterval(timer)
}

/** What tells two versions of the files apart; a file that is away tells too. */
async function stampOf({ certificate, key }: TlsFiles): Promise<string> {
  const stamps = [certificate, key].map(async (path) => {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
      return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
    } catch (error) {
      return reasonOf(error)
    }
  })
  return (await Promise.all(stamps)).join('\n')
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
