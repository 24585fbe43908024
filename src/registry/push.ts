/** What a handler gets that changes a hosted repository. */
import type { HostedRepository } from '../repository/hosted.ts'
import type { Body } from './body.ts'
import type { Head } from './guard.ts'
import type { ManifestIntake } from './manifest-intake.ts'
import type { Served } from './served.ts'

export interface Push {
  head: Head
  body: Body
  repository: HostedRepository
  served: Served
  intake: ManifestIntake
}
