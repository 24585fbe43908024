/** Writes entrepot.schema.json anew after a change of src/config/schema.ts: `node config/write-schema.ts && npm run format`. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { settingsJsonSchema } from '../src/config/schema.ts'

const file = join(import.meta.dirname, 'entrepot.schema.json')
writeFileSync(file, `${JSON.stringify(settingsJsonSchema(), null, 2)}\n`)
