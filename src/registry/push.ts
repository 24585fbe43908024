/** What a handler gets that changes a hosted repository. */
import type { HostedRepository } from '../repository/hosted.ts'
import type { Body } from './body.ts'
import type { Head } from './guard.ts'
import type { ManifestIntake } from './manifest-intake.ts'
import { anonymous } from './access.ts'
import { sourceOf } from './access/gate.ts'
import type { Served } from './served.ts'

export interface Push {
  head: Head
  body: Body
  repository: HostedRepository
  served: Served
  intake: ManifestIntake
}

/** Whose share of what there is few of a request takes: who nobody can tell apart by name is told apart by address. */
export function shareOf({ head, served }: Push): string {
  const { name } = served.client
  return name === anonymous ? `at ${sourceOf(head.address)}` : `user ${name}`
}
