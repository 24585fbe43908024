/** All upload sessions: which there are, whose they are, and when they end. They survive a restart in files beside their spools. */
import { randomBytes } from 'node:crypto'
import type { RepositoryKey } from '../catalog/records.ts'
import { OciError } from '../oci/errors.ts'
import type { RepositoryName } from '../oci/name.ts'
import type { StartUpload } from '../repository/hosted.ts'
import type { Spool } from '../store/spool.ts'
import { createRecentUploads } from './recent-uploads.ts'
import { readSession, type Session, type UploadsOptions } from './session.ts'
import { roomStep } from './take-body.ts'
import { openUpload, type RunningUpload } from './upload.ts'

export interface Uploads {
  start(repository: RepositoryKey, options: StartUpload): Promise<RunningUpload>
  find(repository: RepositoryKey, id: string, by: string): Promise<RunningUpload | undefined>
  /** Ends those that nobody has gone on with. */
  expire(): Promise<void>
  /**
   * Since when clients may have found blobs of a repository that they are still to name: when the first session began that is open or was
   * within the grace, ms since the epoch; now where there is none.
   */
  since(name: RepositoryName): number
  /** Ends what runs; the sessions stay for the next start. */
  close(): Promise<void>
}

interface Known {
  session: Session
  /** Of an earlier process's only the user is known. */
  share: string
  usedAt: number
  opened?: Promise<RunningUpload>
}

/** Sessions in all, which survive a restart with an open file each. */
const mostSessions = 1000
const idleFor = 10 * 60_000

export async function createUploads(options: UploadsOptions): Promise<Uploads> {
  const { sessions, spools, takeRoom, warn, now, grace } = options
  const all = new Map<string, Known>()
  const recent = createRecentUploads(options)
  const startedAt = now()
  for (const session of await sessions.all(readSession)) {
    all.set(session.id, { session, share: session.by, usedAt: session.startedAt })
  }

  async function openWith(known: Known, spool: Promise<Spool>): Promise<RunningUpload> {
    const { session } = known
    return openUpload({
      ...options,
      session,
      spool: await spool,
      onUse() {
        known.usedAt = now()
      },
      onEnd() {
        all.delete(session.id)
        recent.ended(session.name, session.startedAt)
      },
    })
  }

  function open(known: Known, spoolOf: (session: Session) => Promise<Spool> = resumed): Promise<RunningUpload> {
    known.opened ??= openWith(known, spoolOf(known.session)).catch((error: unknown) => {
      delete known.opened
      throw error
    })
    return known.opened
  }

  /** Goes on where an earlier process stopped, where there is something to go on with. */
  async function resumed({ id, algorithm }: Session): Promise<Spool> {
    return (await spools.resume(id, algorithm)) ?? (await spools.create(id, algorithm))
  }

  /** Whoever has the most open makes way for others at once; for oneself only what has been idle for a while does. */
  async function makeWay(share: string): Promise<void> {
    if (all.size < mostSessions) return
    const most = heaviest(all.values())
    const known = [...all.values()].toSorted((a, b) => a.usedAt - b.usedAt)
    for (const one of known) {
      const isIdle = now() - one.usedAt > idleFor
      if ((isIdle || (most !== share && one.share === most)) && (await end(one))) return
    }
    throw new OciError('TOOMANYREQUESTS', `${mostSessions} uploads are open already: finish or cancel some.`, {
      retryAfter: 60,
    })
  }

  /** Of one that an earlier process left, its spool says when it was last gone on with. */
  async function isOver(known: Known): Promise<boolean> {
    if (!isOld(known.usedAt, options)) return false
    if (known.opened) return true
    known.usedAt = (await spools.lastWrite(known.session.id)) ?? known.usedAt
    return isOld(known.usedAt, options)
  }

  async function end(known: Known): Promise<boolean> {
    const upload = await open(known)
    if (upload.isBusy()) return false
    await upload.cancel()
    return true
  }

  return {
    async start({ name }, { by, share = by, size, algorithm = 'sha256' }) {
      await makeWay(share)
      const reservation = await takeRoom(Math.min(size ?? 1, roomStep))
      reservation.release()
      const session: Session = { id: randomBytes(16).toString('hex'), name, by, algorithm, startedAt: now() }
      const known: Known = { session, share, usedAt: session.startedAt }
      all.set(session.id, known)
      try {
        await sessions.write(session.id, JSON.stringify(session))
        return await open(known, ({ id }) => spools.create(id, algorithm))
      } catch (error) {
        all.delete(session.id)
        await sessions.delete(session.id).catch(() => {})
        throw error
      }
    },
    async find({ name }, id, by) {
      const known = all.get(id)
      if (!known || known.session.name !== name || known.session.by !== by) return undefined
      if ((await isOver(known)) && (await end(known))) return undefined
      return open(known)
    },
    async expire() {
      for (const known of all.values()) {
        if (!(await isOver(known))) continue
        await end(known).catch((error: unknown) => warn('an upload that is over could not be deleted', error))
      }
      recent.forget()
    },
    since(name) {
      // What was uploaded before a restart may still be named.
      if (Math.abs(now() - startedAt) <= grace) return Number.NEGATIVE_INFINITY
      const living = [...all.values()].filter(({ session }) => session.name === name)
      return Math.min(recent.earliest(name) ?? now(), ...living.map(({ session }) => session.startedAt), now())
    },
    async close() {
      const opened = [...all.values()].flatMap((known) => known.opened ?? [])
      await Promise.allSettled(opened.map(async (upload) => (await upload).close()))
    },
  }
}

/** Who has the most sessions. */
function heaviest(known: Iterable<Known>): string | undefined {
  const counts = new Map<string, number>()
  for (const { share } of known) counts.set(share, (counts.get(share) ?? 0) + 1)
  const [first] = [...counts].toSorted(([, one], [, other]) => other - one)
  return first?.[0]
}

function isOld(at: number, { now, maxUploadAge }: UploadsOptions): boolean {
  return Math.abs(now() - at) > maxUploadAge
}
