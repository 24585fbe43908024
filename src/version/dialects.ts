/** Which dialect a profile speaks: the one table. */
import { argoDialect } from './argo.ts'
import type { Dialect } from './dialect.ts'
import { fluxDialect } from './flux.ts'
import { helmLegacyDialect } from './helm-legacy.ts'
import { helmDialect } from './helm.ts'
import { imageDialect } from './image.ts'
import type { Profile } from './profile.ts'

/** Something that can be done in any dialect. */
type Deed<Result> = <Version>(dialect: Dialect<Version>) => Result

const dialects: Record<Profile, <Result>(deed: Deed<Result>) => Result> = {
  helm: (deed) => deed(helmDialect),
  'helm-legacy': (deed) => deed(helmLegacyDialect),
  flux: (deed) => deed(fluxDialect),
  argo: (deed) => deed(argoDialect),
  image: (deed) => deed(imageDialect),
}

export function inDialectOf<Result>(profile: Profile, deed: Deed<Result>): Result {
  return dialects[profile](deed)
}
