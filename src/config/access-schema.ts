/** The keys `access` and `tls`, as `schema.ts` has the others. */
import { z } from 'zod'
import { line, path, username } from './texts.ts'

const accessRule = z.strictObject({
  users: z
    .array(username())
    .min(1, 'must name somebody')
    .max(1024)
    .meta({ title: 'list of users' })
    .describe('Whom it is for: users of the file, * for all of them, anonymous for whoever sends no credentials.'),
  repositories: z
    .array(line)
    .min(1, 'must name a repository or a pattern')
    .max(256)
    .meta({ title: 'list of patterns' })
    .describe('Which repositories: <upstream host>/<name> or hosted/<name>; * is one component, ** one or more.'),
  actions: z
    .array(z.enum(['pull', 'push', 'delete']))
    .min(1, 'must name pull, push or delete')
    .max(3)
    .meta({ title: 'list of pull, push, delete' })
    .describe('What they may do there.'),
})

export const access = z
  .strictObject({
    htpasswd: path.describe(
      'The file of the users, a line each as `entrepot passwd` prints it; read again when it changes.',
    ),
    rules: z
      .array(accessRule)
      .max(1024)
      .meta({ title: 'list of maps' })
      .describe('Who may do what: what no rule allows is denied.'),
  })
  .meta({ title: 'map' })

export const tls = z
  .strictObject({
    certificate: path.describe('A PEM file with the certificate, those of its issuers after it.'),
    key: path.describe('A PEM file with its private key, which other users cannot read.'),
  })
  .meta({ title: 'map' })

export type AccessSettings = z.output<typeof access>
