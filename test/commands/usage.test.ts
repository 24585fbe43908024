/** What a user is told about the commands: a line at a mistake, and with --help as much as was asked for. */
import { describe, expect, it } from 'vitest'
import { entrepot } from './cli.ts'

const home = import.meta.dirname
const names = ['[serve]', 'resolve', 'lock', 'import-charts', 'passwd']

function told(stdout: string): string[] {
  return names.filter((name) => stdout.includes(`  entrepot ${name} `))
}

describe('--help', () => {
  it.each(['resolve', 'lock', 'import-charts', 'passwd'])('of one command shows that one: %s', async (name) => {
    const { code, stdout, stderr } = await entrepot([name, '--help'], home)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(told(stdout)).toEqual([name])
    expect(stdout.includes('--data DIR')).toBe(name !== 'passwd')
  })

  it('alone shows all of them', async () => {
    const { code, stdout } = await entrepot(['--help'], home)
    expect(code).toBe(0)
    expect(told(stdout)).toEqual(names)
    expect(stdout).toContain('--data DIR')
  })
})

describe('a mistake in the arguments', () => {
  it.each([
    [['--bogus'], `Unknown option '--bogus'.`, 'entrepot --help'],
    [['serve', '--bogus'], `Unknown option '--bogus'.`, 'entrepot serve --help'],
    [['passwd'], 'passwd takes one name; the password comes from the terminal or stdin.', 'entrepot passwd --help'],
    [['lok', 'versions.yaml'], 'There is no command lok.', 'entrepot --help'],
  ])('is one sentence, and a line that says where there is more: %s', async (args, sentence, more) => {
    const stderr = `entrepot: ${sentence}\n${more} tells more.\n`
    expect(await entrepot(args, home)).toEqual({ code: 1, stdout: '', stderr })
  })
})
