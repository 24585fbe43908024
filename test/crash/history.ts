/** Entries of a journal that say nothing in the end: a tag that came and went. */
import { openJournal } from '../../src/store/journal.ts'

/** At least so many bytes of it, into the journal of a directory whose daemon has ended. */
export async function appendHistory(path: string, bytes: number): Promise<void> {
  const repository = { origin: 'hosted', name: 'local/history' }
  const record = { digest: `sha256:${'0'.repeat(64)}`, checkedAt: 1, changedAt: 1 }
  const came = JSON.stringify([{ tag: 'moving', repository, record }])
  const went = JSON.stringify([{ untag: 'moving', repository }])
  const turns = Math.ceil(bytes / (came.length + went.length))
  const { journal } = await openJournal(path)
  await journal.append(Array.from({ length: turns }, () => [came, went]).flat())
  await journal.close()
}
