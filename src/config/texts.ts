/** Texts that several keys of the configuration hold. */
import { z } from 'zod'

// zod would otherwise try `new Function`, which the daemon's Node flags forbid.
z.config({ jitless: true })

export const line = z.string().min(1, 'must not be empty')
export const path = line.meta({ title: 'path' })

export const username = () =>
  z
    .string()
    .regex(/^[^\p{Cc}:]{1,256}$/u, 'must be 1 to 256 characters without a colon or control characters')
    .meta({ title: 'text' })
