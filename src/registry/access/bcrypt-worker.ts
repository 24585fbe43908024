/** The thread in which passwords are compared: a hash takes long enough to stall every download meanwhile. */
import { parentPort } from 'node:worker_threads'
import { compareSync, hashSync } from 'bcryptjs'
import type { Comparison } from './bcrypt.ts'
import { costOf } from './htpasswd.ts'

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
parentPort?.on('message', (comparison: Comparison) => parentPort?.postMessage(compare(comparison)))

/** Each cost takes twice the time of the one before: those from the hash's own up to the wanted one, it excluded, fill the difference. */
function compare({ password, hash, cost }: Comparison): boolean {
  const isEqual = compareSync(password, hash)
  if (!isEqual) for (let spent = costOf(hash); spent < cost; spent += 1) hashSync(password, spent)
  return isEqual
}
